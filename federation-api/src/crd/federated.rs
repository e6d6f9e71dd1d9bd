//! The generator of `Federated<Kind>` definitions.

use serde_json::{Value, json};

use super::schema::{self, Vocabulary};
use crate::kinds::FederatedTypeConfig;
use crate::{labels, names};

/// What the generator must know of the target kind beyond its type config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// The target's schema has `spec.replicas` of type integer: its federated kind gets `retainReplicas`.
    pub integer_replicas: bool,
    /// The target's short names; the federated kind's are `f` + each.
    pub short_names: Vec<String>,
    /// Federated objects live in namespaces, and may thus be placed in cells.
    pub namespaced: bool,
}

/// How the API server that gets the definition converts between the two versions.
#[derive(Clone, Debug, PartialEq)]
pub enum ConversionStrategy {
    /// No stanza of its own: for the hub, which converts these kinds in process whatever the stanza says. An ordinary
    /// API server would only rename `apiVersion` and lose data: never use it there.
    InProcess,
    /// A webhook, for the add-on form: the `clientConfig` of `spec.conversion.webhook`.
    Webhook {
        /// `apiextensions/v1.WebhookClientConfig` as JSON.
        client_config: Value,
    },
}

/// The CustomResourceDefinition of the federated kind that `config` (with its defaults applied) describes: versions
/// v1 and v1beta1, both served, v1beta1 stored, both with the status subresource. With a webhook it carries the label by
/// which the webhook finds it to write its CA. Same input, same output.
#[must_use]
pub fn federated_crd(
    config: &FederatedTypeConfig,
    facts: &TargetFacts,
    conversion: &ConversionStrategy,
) -> Value {
    let federated = &config.spec.federated_type;
    let target_kind = &config.spec.target_type.kind;
    let group = match federated.group() {
        "" => names::TYPES_GROUP,
        group => group,
    };
    let facts = &TargetFacts {
        namespaced: config.federated_is_namespaced(),
        ..facts.clone()
    };
    let short_names: Vec<String> = facts
        .short_names
        .iter()
        .map(|name| format!("f{name}"))
        .collect();
    let version = |name: &str, words: Vocabulary| {
        json!({
            "name": name,
            "served": true,
            "storage": words == Vocabulary::Southbound,
            "schema": {"openAPIV3Schema": schema::object(&federated.kind, target_kind, words, facts)},
            "subresources": {"status": {}},
            "additionalPrinterColumns": printer_columns(words),
        })
    };
    let mut names_stanza = json!({
        "plural": federated.plural_name,
        "singular": federated.kind.to_lowercase(),
        "kind": federated.kind,
        "listKind": format!("{}List", federated.kind),
        "categories": ["federated"],
    });
    if !short_names.is_empty() {
        names_stanza["shortNames"] = json!(short_names);
    }
    let mut metadata = json!({"name": format!("{}.{group}", federated.plural_name)});
    if matches!(conversion, ConversionStrategy::Webhook { .. }) {
        metadata["labels"] = json!({labels::INJECT_CA: labels::INJECT_CA_WEBHOOK});
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": group,
            "scope": if config.federated_is_namespaced() { "Namespaced" } else { "Cluster" },
            "names": names_stanza,
            "conversion": conversion_stanza(conversion),
            "versions": [
                version(names::NORTHBOUND_VERSION, Vocabulary::Northbound),
                version(names::SOUTHBOUND_VERSION, Vocabulary::Southbound),
            ],
        },
    })
}

fn conversion_stanza(conversion: &ConversionStrategy) -> Value {
    match conversion {
        ConversionStrategy::InProcess => json!({"strategy": "None"}),
        ConversionStrategy::Webhook { client_config } => json!({
            "strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": client_config},
        }),
    }
}

fn printer_columns(words: Vocabulary) -> Value {
    let (first, what) = match words {
        Vocabulary::Northbound => ("Topologies", "cells or clusters"),
        Vocabulary::Southbound => ("Clusters", "clusters"),
    };
    let column = |name: &str, field: &str, description: String| json!({"name": name, "type": "integer", "jsonPath": format!(".status.counts.{field}"), "description": description});
    json!([
        column(first, "topologies", format!("How many {what} the placement selects")),
        column("Updated", "updated", format!("How many {what} run the current template")),
        column("Masked", "masked", format!("How many {what} the placement mask keeps as they are")),
        column("Failing", "failing", format!("How many {what} need attention")),
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {
            "name": "Reason",
            "type": "string",
            "priority": 1,
            "jsonPath": ".status.conditions[?(@.type=='Propagation')].reason",
            "description": "Why propagation is not complete",
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{ApiResource, FederatedTypeConfigSpec, Scope, Switch};

    fn config(plural: &str, kind: &str, scope: Scope) -> FederatedTypeConfig {
        FederatedTypeConfig::new(
            plural,
            FederatedTypeConfigSpec {
                target_type: ApiResource {
                    group: Some("tutorial.my.domain".into()),
                    version: "v1".into(),
                    kind: kind.into(),
                    plural_name: plural.into(),
                    scope,
                },
                propagation: Switch::Enabled,
                federated_type: ApiResource {
                    group: Some(names::TYPES_GROUP.into()),
                    version: names::SOUTHBOUND_VERSION.into(),
                    kind: names::federated_kind(kind),
                    plural_name: names::federated_plural(plural),
                    scope,
                },
                status_type: None,
                status_collection: None,
                propagating_annotations: None,
                update_strategy: None,
            },
        )
    }

    fn walk(path: &str, schema: &Value, missing: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(str::is_empty) && name != "metadata" {
                missing.push(path.clone());
            }
            walk(&path, field, missing);
            walk(&path, &field["items"], missing);
        }
    }

    #[test]
    fn both_versions_are_served_and_the_southbound_is_stored() {
        let facts = TargetFacts {
            short_names: vec!["fo".into()],
            ..TargetFacts::default()
        };
        let crd = federated_crd(
            &config("foos", "Foo", Scope::Namespaced),
            &facts,
            &ConversionStrategy::InProcess,
        );
        assert_eq!(crd["metadata"]["name"], "federatedfoos.types.kubefed.io");
        assert_eq!(crd["spec"]["names"]["shortNames"], json!(["ffo"]));
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        let versions = crd["spec"]["versions"].as_array().unwrap();
        let summary: Vec<_> = versions
            .iter()
            .map(|one| {
                (
                    one["name"].as_str().unwrap(),
                    one["served"].as_bool().unwrap(),
                    one["storage"].as_bool().unwrap(),
                )
            })
            .collect();
        assert_eq!(summary, [("v1", true, false), ("v1beta1", true, true)]);
        for one in versions {
            assert_eq!(one["subresources"], json!({"status": {}}));
            let mut missing = Vec::new();
            walk("", &one["schema"]["openAPIV3Schema"], &mut missing);
            assert_eq!(missing, Vec::<String>::new());
        }
        let spec = |index: usize| {
            &versions[index]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        };
        assert_eq!(spec(0)["topologyType"]["enum"], json!(["cell", "cluster"]));
        assert!(spec(1).get("topologyType").is_none());
        assert!(spec(1).get("retainReplicas").is_none());
        assert!(
            spec(1)["placementMask"]["properties"]
                .get("clusters")
                .is_some()
        );
        assert!(
            spec(0)["placementMask"]["properties"]
                .get("topologies")
                .is_some()
        );
    }

    #[test]
    fn replicas_and_cluster_scope_show_in_the_schema() {
        let facts = TargetFacts {
            integer_replicas: true,
            ..TargetFacts::default()
        };
        let client_config =
            json!({"service": {"name": "hub", "namespace": "x", "path": "/convert"}});
        let crd = federated_crd(
            &config("foos", "Foo", Scope::Cluster),
            &facts,
            &ConversionStrategy::Webhook {
                client_config: client_config.clone(),
            },
        );
        assert_eq!(crd["spec"]["scope"], "Cluster");
        assert_eq!(
            crd["spec"]["conversion"]["webhook"]["clientConfig"],
            client_config
        );
        assert_eq!(crd["metadata"]["labels"][labels::INJECT_CA], "webhook");
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        assert_eq!(spec["topologyType"]["enum"], json!(["cluster"]));
        assert_eq!(spec["retainReplicas"]["type"], "boolean");
    }
}
