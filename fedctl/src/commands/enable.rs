//! `fedctl enable` and `fedctl disable`.

use std::time::Duration;

use anyhow::{Context, bail};
use federation_api::kinds::{
    ApiResource as TypeResource, ControllerState, FederatedTypeConfig, FederatedTypeConfigSpec,
    Scope, Switch,
};
use federation_api::names;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::discovery::{ApiCapabilities, Discovery, Scope as DiscoveredScope};
use kube::runtime::wait::{await_condition, conditions};

use super::grant::remind;
use super::member;
use crate::cli::{Disable, Enable, Global};
use crate::hub::Hub;
use crate::objects::delete;
use crate::{print, resolve};

/// How long to wait for the controller before saying that it may not be running.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the FederatedTypeConfig and waits until its federated kind is served.
pub(crate) async fn enable(global: &Global, args: &Enable) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let (cluster, resource, capabilities) = find_target(&hub, args).await?;
    if resource.group == names::TYPES_GROUP || resource.group == names::CORE_GROUP {
        bail!(
            "{} is the federation's own kind and cannot be federated",
            resource.kind
        );
    }
    let scope = match capabilities.scope {
        DiscoveredScope::Namespaced => Scope::Namespaced,
        DiscoveredScope::Cluster => Scope::Cluster,
    };
    let config = type_config(&resource, scope, &args.propagate_annotations);
    let api: Api<FederatedTypeConfig> =
        Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    let name = config.metadata.name.clone().unwrap_or_default();
    let made = match api.create(&PostParams::default(), &config).await {
        Ok(made) => made,
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            update(&api, &name, &config).await?
        }
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot make the FederatedTypeConfig {name}"));
        }
    };
    wait_served(&hub, &made).await?;
    if !print::object(global.output, &made)? {
        outln!(
            "{} enabled as {} (found in cluster {cluster}); federate one with `fedctl federate {} NAME`",
            resource.kind,
            made.spec.federated_type.kind,
            resource.plural
        );
    }
    remind(&hub).await
}

/// The kind as the asked or the first ready member serves it.
async fn find_target(
    hub: &Hub,
    args: &Enable,
) -> anyhow::Result<(String, kube::core::ApiResource, ApiCapabilities)> {
    let members = member::ready(hub, args.cluster.as_deref()).await?;
    let mut asked = Vec::new();
    for (name, member_client) in members {
        let discovery = Discovery::new(member_client)
            .run()
            .await
            .with_context(|| format!("cannot discover the kinds of cluster {name}"))?;
        if let Some((resource, capabilities)) =
            pick(&discovery, &args.target, args.version.as_deref())?
        {
            return Ok((name, resource, capabilities));
        }
        asked.push(name);
    }
    bail!(
        "none of the clusters {} serves a kind \"{}\": create its CustomResourceDefinition there first, or name a cluster with --cluster",
        asked.join(", "),
        args.target
    )
}

fn pick(
    discovery: &Discovery,
    word: &str,
    version: Option<&str>,
) -> anyhow::Result<Option<(kube::core::ApiResource, ApiCapabilities)>> {
    let word = word.to_lowercase();
    let mut found: Vec<(kube::core::ApiResource, ApiCapabilities)> = Vec::new();
    for group in discovery.groups() {
        let versions: Vec<&str> = match version {
            Some(version) => vec![version],
            None => vec![group.preferred_version_or_latest()],
        };
        for (resource, capabilities) in versions
            .into_iter()
            .flat_map(|v| group.versioned_resources(v))
        {
            let qualified = names::type_config(&resource.plural, &resource.group);
            let kind = resource.kind.to_lowercase();
            if [resource.plural.as_str(), kind.as_str(), qualified.as_str()]
                .contains(&word.as_str())
            {
                found.push((resource, capabilities));
            }
        }
    }
    if found.len() > 1 {
        let choices: Vec<String> = found
            .iter()
            .map(|(r, _)| names::type_config(&r.plural, &r.group))
            .collect();
        // The core group wins over a twin elsewhere (events), as with kubectl.
        if let Some(core) = found.iter().position(|(r, _)| r.group.is_empty()) {
            return Ok(Some(found.swap_remove(core)));
        }
        bail!(
            "\"{word}\" is more than one kind: say one of {}",
            choices.join(", ")
        );
    }
    Ok(found.pop())
}

fn type_config(
    resource: &kube::core::ApiResource,
    scope: Scope,
    annotations: &[String],
) -> FederatedTypeConfig {
    let name = names::type_config(&resource.plural, &resource.group);
    FederatedTypeConfig::new(
        &name,
        FederatedTypeConfigSpec {
            target_type: TypeResource {
                group: (!resource.group.is_empty()).then(|| resource.group.clone()),
                version: resource.version.clone(),
                kind: resource.kind.clone(),
                plural_name: resource.plural.clone(),
                scope,
            },
            propagation: Switch::Enabled,
            federated_type: TypeResource {
                group: Some(names::TYPES_GROUP.to_owned()),
                version: names::SOUTHBOUND_VERSION.to_owned(),
                kind: names::federated_kind(&resource.kind),
                plural_name: names::federated_plural(&resource.plural),
                scope,
            },
            status_type: None,
            status_collection: Some(Switch::Enabled),
            propagating_annotations: (!annotations.is_empty()).then(|| annotations.to_vec()),
            update_strategy: None,
        },
    )
}

/// An existing type config is enabled again; the annotation policy changes only if one was given.
async fn update(
    api: &Api<FederatedTypeConfig>,
    name: &str,
    config: &FederatedTypeConfig,
) -> anyhow::Result<FederatedTypeConfig> {
    let mut spec = serde_json::json!({"propagation": "Enabled"});
    if let Some(policy) = &config.spec.propagating_annotations {
        spec["propagatingAnnotations"] = serde_json::json!(policy);
    }
    api.patch(
        name,
        &PatchParams::default(),
        &Patch::Merge(serde_json::json!({"spec": spec})),
    )
    .await
    .with_context(|| format!("cannot change the FederatedTypeConfig {name}"))
}

async fn wait_served(hub: &Hub, config: &FederatedTypeConfig) -> anyhow::Result<()> {
    let federated = &config.spec.federated_type;
    let crd = format!(
        "{}.{}",
        federated.plural_name,
        federated.group.as_deref().unwrap_or(names::TYPES_GROUP)
    );
    let crds: Api<CustomResourceDefinition> = Api::all(hub.hub_client.clone());
    let established = await_condition(crds, &crd, conditions::is_crd_established());
    match tokio::time::timeout(PATIENCE, established).await {
        Ok(outcome) => {
            outcome.with_context(|| format!("cannot watch the CustomResourceDefinition {crd}"))?;
            Ok(())
        }
        Err(_) => bail!(
            "the type is enabled, but {crd} is not served after {} s: is the federation controller running? Its word on the type: `kubectl get federatedtypeconfig {} -n {} -o yaml`",
            PATIENCE.as_secs(),
            config.metadata.name.as_deref().unwrap_or_default(),
            hub.system_namespace
        ),
    }
}

/// Stops the propagation of a type, and deletes its config; member objects stay.
pub(crate) async fn disable(global: &Global, args: &Disable) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let config = resolve::type_config(&hub, &args.target).await?;
    let name = config.metadata.name.clone().unwrap_or_default();
    let kind = &config.spec.federated_type.kind;
    if args.delete_crd {
        let left = resolve::objects(&hub, &config, true)
            .list(&ListParams::default().limit(1))
            .await
            .with_context(|| format!("cannot see whether {kind} objects are left"))?;
        if let Some(one) = left.items.first() {
            bail!(
                "{kind} objects still exist (such as {}/{}): delete them first, or leave out --delete-crd",
                one.metadata.namespace.as_deref().unwrap_or_default(),
                one.metadata.name.as_deref().unwrap_or_default()
            );
        }
    }
    let api: Api<FederatedTypeConfig> =
        Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    let off = serde_json::json!({"spec": {"propagation": "Disabled"}});
    api.patch(&name, &PatchParams::default(), &Patch::Merge(off))
        .await
        .with_context(|| format!("cannot disable {name}"))?;
    let stopped = await_condition(
        api.clone(),
        &name,
        |object: Option<&FederatedTypeConfig>| {
            object.is_none_or(|config| {
                config.status.as_ref().is_some_and(|status| {
                    status.propagation_controller == Some(ControllerState::NotRunning)
                })
            })
        },
    );
    if tokio::time::timeout(Duration::from_secs(10), stopped)
        .await
        .is_err()
    {
        bail!(
            "{name} is disabled, but its propagation has not stopped after 10 s: is the federation controller running?"
        );
    }
    delete(&api, &name).await?;
    outln!("{name} disabled; what is in the members stays");
    if args.delete_crd {
        let crds: Api<CustomResourceDefinition> = Api::all(hub.hub_client.clone());
        let federated = &config.spec.federated_type;
        let crd = format!(
            "{}.{}",
            federated.plural_name,
            federated.group.as_deref().unwrap_or(names::TYPES_GROUP)
        );
        delete(&crds, &crd).await?;
        outln!("customresourcedefinition {crd} deleted");
    }
    remind(&hub).await
}
