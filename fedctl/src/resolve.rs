//! From what the user calls a kind to the FederatedTypeConfig that federates it.

use anyhow::{Context, bail};
use federation_api::kinds::FederatedTypeConfig;
use federation_api::names;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};

use crate::hub::Hub;

/// All type configs of the hub, with KubeFed's defaults filled in.
pub(crate) async fn type_configs(hub: &Hub) -> anyhow::Result<Vec<FederatedTypeConfig>> {
    let api: Api<FederatedTypeConfig> =
        Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    let mut items = api
        .list(&ListParams::default())
        .await
        .context("cannot read the federated types from the hub")?
        .items;
    for item in &mut items {
        item.apply_defaults();
    }
    Ok(items)
}

/// The one type config that the user means by `word`: its name, or the target's or federated kind's name in any form.
pub(crate) async fn type_config(hub: &Hub, word: &str) -> anyhow::Result<FederatedTypeConfig> {
    choose(word, type_configs(hub).await?)
}

fn choose(word: &str, all: Vec<FederatedTypeConfig>) -> anyhow::Result<FederatedTypeConfig> {
    let known: Vec<String> = all.iter().map(config_name).collect();
    let mut matching: Vec<FederatedTypeConfig> =
        all.into_iter().filter(|c| means(word, c)).collect();
    match (matching.pop(), matching.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            let mut names: Vec<String> = matching.iter().map(config_name).collect();
            names.push(config_name(&last));
            bail!(
                "\"{word}\" is more than one federated type: say one of {}",
                names.join(", ")
            )
        }
        (None, _) if known.is_empty() => {
            bail!("no type is federated yet: enable one with `fedctl enable {word}`")
        }
        (None, _) => bail!(
            "\"{word}\" is not a federated type (these are: {}); enable it with `fedctl enable {word}`",
            known.join(", ")
        ),
    }
}

fn config_name(config: &FederatedTypeConfig) -> String {
    config.metadata.name.clone().unwrap_or_default()
}

fn means(word: &str, config: &FederatedTypeConfig) -> bool {
    let word = word.to_lowercase();
    [&config.spec.target_type, &config.spec.federated_type]
        .into_iter()
        .any(|t| {
            let group = t.group.as_deref().unwrap_or_default();
            let kind = t.kind.to_lowercase();
            [kind.as_str(), t.plural_name.as_str()]
                .into_iter()
                .any(|name| {
                    word == name || (!group.is_empty() && word == format!("{name}.{group}"))
                })
        })
        || word == config_name(config)
}

/// The northbound (v1) resource of the federated kind.
pub(crate) fn northbound(config: &FederatedTypeConfig) -> ApiResource {
    let federated = &config.spec.federated_type;
    let group = federated.group.as_deref().unwrap_or(names::TYPES_GROUP);
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(group, names::NORTHBOUND_VERSION, &federated.kind),
        &federated.plural_name,
    )
}

/// The federated objects of a type that the user's flags reach: one namespace, all of them, or the cluster scope.
pub(crate) fn objects(
    hub: &Hub,
    config: &FederatedTypeConfig,
    all_namespaces: bool,
) -> Api<DynamicObject> {
    let resource = northbound(config);
    if all_namespaces || !config.federated_is_namespaced() {
        Api::all_with(hub.hub_client.clone(), &resource)
    } else {
        Api::namespaced_with(hub.hub_client.clone(), &hub.namespace, &resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, kind: &str) -> FederatedTypeConfig {
        let (plural, group) = names::split_type_config(name);
        let mut config: FederatedTypeConfig = serde_json::from_value(serde_json::json!({
            "apiVersion": "core.kubefed.io/v1beta1", "kind": "FederatedTypeConfig",
            "metadata": {"name": name},
            "spec": {
                "targetType": {"group": group, "version": "v1", "kind": kind, "pluralName": plural, "scope": "Namespaced"},
                "federatedType": {"group": "types.kubefed.io", "version": "v1beta1", "kind": format!("Federated{kind}"), "scope": "Namespaced"},
                "propagation": "Enabled",
            },
        }))
        .unwrap();
        config.apply_defaults();
        config
    }

    #[test]
    fn a_type_has_many_names() {
        let all = || {
            vec![
                config("foos.tutorial.my.domain", "Foo"),
                config("services", "Service"),
            ]
        };
        for word in [
            "foo",
            "Foo",
            "foos",
            "foos.tutorial.my.domain",
            "FederatedFoo",
        ] {
            assert_eq!(
                config_name(&choose(word, all()).unwrap()),
                "foos.tutorial.my.domain",
                "{word}"
            );
        }
        let error = choose("bar", all()).unwrap_err().to_string();
        assert!(error.contains("fedctl enable bar"), "{error}");
    }

    #[test]
    fn an_ambiguous_name_lists_the_choices() {
        let all = vec![config("foos.a.io", "Foo"), config("foos.b.io", "Foo")];
        let error = choose("foo", all).unwrap_err().to_string();
        assert!(
            error.contains("foos.a.io") && error.contains("foos.b.io"),
            "{error}"
        );
    }
}
