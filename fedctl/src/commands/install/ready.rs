//! Waiting until what was installed works.

use std::time::Duration;

use anyhow::{Context, anyhow};
use federation_api::KubeFedConfig;
use federation_api::install::{CONTROLLER, Options, Programs};
use federation_api::names::WEBHOOK;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::print;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// Waits until the API server serves all definitions among `objects`.
///
/// # Errors
/// It does not in time; the message says which and why.
pub(in crate::commands) async fn definitions(
    hub_client: &Client,
    objects: &[Value],
    patience: Duration,
) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(hub_client.clone());
    for object in objects {
        if object["kind"] != "CustomResourceDefinition" {
            continue;
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        until(
            patience,
            &format!("definition {name} is served"),
            || async {
                let conditions = api.get(name).await?.status.and_then(|s| s.conditions);
                let conditions = conditions.unwrap_or_default();
                let is = |kind: &str| conditions.iter().find(|c| c.type_ == kind);
                match (is("Established"), is("NamesAccepted")) {
                    (Some(established), _) if established.status == "True" => Ok(()),
                    (_, Some(names)) if names.status == "False" => Err(anyhow!(
                        "its names are taken: {}",
                        names.message.clone().unwrap_or_default()
                    )),
                    _ => Err(anyhow!("not yet")),
                }
            },
        )
        .await?;
    }
    Ok(())
}

/// Waits until the programs run (if they are in the cluster), the API server trusts the webhook, and a write passes through it.
///
/// # Errors
/// It does not come to that in time; the message says what was missing last.
pub(in crate::commands) async fn wait(
    hub_client: &Client,
    options: &Options,
    patience: Duration,
) -> anyhow::Result<()> {
    if let Programs::InCluster(_) = &options.programs {
        let api: Api<Deployment> = Api::namespaced(hub_client.clone(), &options.namespace);
        for name in [WEBHOOK, CONTROLLER] {
            say(&format!("waiting for deployment {name}"));
            until(
                patience,
                &format!("deployment {name} is available"),
                || async { rolled_out(&api.get(name).await?) },
            )
            .await?;
        }
    }
    say("waiting for the webhook to publish its CA");
    until(
        patience,
        "the API server knows the webhook's CA",
        || async { trusted(hub_client).await },
    )
    .await?;
    say("waiting for the API server to reach the webhook");
    let configs: Api<KubeFedConfig> = Api::namespaced(hub_client.clone(), &options.namespace);
    until(patience, "the API server reaches the webhook", || async {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let probe = json!({"metadata": {"generateName": "probe-"}, "spec": {"scope": "Cluster"}});
        let probe: KubeFedConfig = serde_json::from_value(with_type(probe))?;
        configs.create(&params, &probe).await?;
        Ok(())
    })
    .await
}

fn with_type(mut object: Value) -> Value {
    object["apiVersion"] = json!("core.kubefed.io/v1beta1");
    object["kind"] = json!("KubeFedConfig");
    object
}

fn rolled_out(deployment: &Deployment) -> anyhow::Result<()> {
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let observed = status.observed_generation >= deployment.metadata.generation;
    let updated = status.updated_replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    if observed && updated >= wanted && available >= wanted {
        return Ok(());
    }
    Err(anyhow!(
        "{available} of {wanted} replicas are available, {updated} are up to date"
    ))
}

async fn trusted(hub_client: &Client) -> anyhow::Result<()> {
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(hub_client.clone());
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(hub_client.clone());
    let validating = validating.get("koinon").await?.webhooks.unwrap_or_default();
    let mutating = mutating.get("koinon").await?.webhooks.unwrap_or_default();
    let bundles = validating
        .iter()
        .map(|webhook| &webhook.client_config.ca_bundle)
        .chain(
            mutating
                .iter()
                .map(|webhook| &webhook.client_config.ca_bundle),
        );
    for bundle in bundles {
        if bundle.as_ref().is_none_or(|bundle| bundle.0.is_empty()) {
            return Err(anyhow!("no webhook has published one: does it run?"));
        }
    }
    Ok(())
}

/// What takes a while is said on standard error, so that standard output stays what was done.
fn say(what: &str) {
    eprintln!("{what} …");
}

async fn until<F: Future<Output = anyhow::Result<()>>>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let Err(error) = look().await else {
            return Ok(());
        };
        if begun.elapsed() >= patience {
            return Err(anyhow!("{}", print::chain(&error))).with_context(|| {
                format!(
                    "gave up after {} s waiting until {what}",
                    patience.as_secs()
                )
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}
