//! `fedctl deinit`: takes the add-on form off a cluster.

use anyhow::{Context, bail};
use federation_api::install::{Options, objects};
use federation_api::names::{CORE_GROUP, KOINON_GROUP, TYPES_GROUP};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::install::apply;
use crate::cli::{Deinit, Global};
use crate::hub::Hub;

/// Kinds of which none may be left for a purge. The records of versions go with what they are records of.
const HOLDING: [&str; 3] = ["KubeFedCluster", "FederatedTypeConfig", "Cell"];
/// So many objects are named in a refusal.
const NAMED: u32 = 5;

/// Deletes in the reverse order of installation: first what would refuse writes once the webhook is gone.
pub(crate) async fn deinit(global: &Global, args: &Deinit) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let options = Options {
        namespace: global.kubefed_namespace.clone(),
        ..Options::default()
    };
    let definitions = definitions(&hub.hub_client).await?;
    if args.purge {
        refuse_if_used(&hub.hub_client, &definitions).await?;
    }
    let keeps = |object: &Value| {
        let kind = object["kind"].as_str().unwrap_or_default();
        !args.purge && matches!(kind, "Namespace" | "CustomResourceDefinition")
    };
    let generated = definitions
        .iter()
        .filter(|definition| args.purge && definition.spec.group == TYPES_GROUP)
        .map(|definition| {
            json!({
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": definition.metadata.name},
            })
        });
    let mut all = objects(&options);
    all.extend(own_data(&options.namespace));
    all.splice(1..1, generated);
    for object in all.iter().rev().filter(|object| !keeps(object)) {
        if let Some(deleted) = apply::delete(&hub.hub_client, object, args.dry_run).await? {
            outln!(
                "{deleted}{}",
                if args.dry_run {
                    " (server dry run)"
                } else {
                    ""
                }
            );
        }
    }
    if !args.purge {
        outln!(
            "definitions, objects and namespace {} stay; federated objects are read as v1beta1 only until `fedctl init` runs again",
            options.namespace
        );
    }
    Ok(())
}

/// What the webhook made for itself.
fn own_data(namespace: &str) -> [Value; 2] {
    use federation_api::names::{WEBHOOK_CA, WEBHOOK_SECRET};
    let object = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}});
    [
        object("ConfigMap", WEBHOOK_CA),
        object("Secret", WEBHOOK_SECRET),
    ]
}

/// Definitions of our groups, the generated ones among them.
async fn definitions(hub_client: &Client) -> anyhow::Result<Vec<CustomResourceDefinition>> {
    let api: Api<CustomResourceDefinition> = Api::all(hub_client.clone());
    let all = api
        .list(&ListParams::default())
        .await
        .context("cannot list the cluster's definitions")?;
    let ours = |one: &CustomResourceDefinition| {
        [CORE_GROUP, KOINON_GROUP, TYPES_GROUP].contains(&one.spec.group.as_str())
    };
    Ok(all.items.into_iter().filter(ours).collect())
}

/// A purge would delete federated objects behind the controller's back: what they stand for in members would stay unmanaged.
async fn refuse_if_used(
    hub_client: &Client,
    definitions: &[CustomResourceDefinition],
) -> anyhow::Result<()> {
    let mut left = Vec::new();
    for definition in definitions {
        let spec = &definition.spec;
        let kind = spec.names.kind.as_str();
        let Some(stored) = spec.versions.iter().find(|version| version.storage) else {
            continue;
        };
        if spec.group != TYPES_GROUP && !HOLDING.contains(&kind) {
            continue;
        }
        let gvk = GroupVersionKind::gvk(&spec.group, &stored.name, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, &spec.names.plural);
        let api: Api<DynamicObject> = Api::all_with(hub_client.clone(), &resource);
        let some = api
            .list(&ListParams::default().limit(NAMED))
            .await
            .with_context(|| format!("cannot list {}", spec.names.plural))?;
        left.extend(some.items.into_iter().map(|object| {
            let namespace = object.metadata.namespace.map(|n| format!("{n}/"));
            format!(
                "{kind} {}{}",
                namespace.unwrap_or_default(),
                object.metadata.name.unwrap_or_default()
            )
        }));
    }
    if left.is_empty() {
        return Ok(());
    }
    bail!(
        "these are still there: {}; delete federated objects, `fedctl disable` their kinds, delete cells and `fedctl unjoin` clusters first",
        left.join(", ")
    );
}
