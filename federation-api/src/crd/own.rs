//! The definitions of the kinds of fixed shape.

use kube::CustomResourceExt;
use serde_json::Value;

use crate::kinds::{
    Cell, ClusterPropagatedVersion, FederatedTypeConfig, KubeFedCluster, KubeFedConfig,
    PropagatedVersion,
};

/// The definitions of all our kinds of fixed shape, sorted by name, ready to be applied to a hub. The hub installs them at start;
/// `deploy/crds` is generated from them.
#[must_use]
pub fn all_crds() -> Vec<Value> {
    let mut crds = [
        serde_json::to_value(KubeFedCluster::crd()),
        serde_json::to_value(FederatedTypeConfig::crd()),
        serde_json::to_value(KubeFedConfig::crd()),
        serde_json::to_value(PropagatedVersion::crd()),
        serde_json::to_value(ClusterPropagatedVersion::crd()),
        serde_json::to_value(Cell::crd()),
    ]
    .into_iter()
    .map(|crd| crd.expect("a definition is plain data"))
    .collect::<Vec<_>>();
    crds.sort_by(|a, b| {
        a["metadata"]["name"]
            .as_str()
            .cmp(&b["metadata"]["name"].as_str())
    });
    crds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd(name: &str) -> Value {
        all_crds()
            .into_iter()
            .find(|crd| crd["metadata"]["name"] == name)
            .unwrap()
    }

    #[test]
    fn names_scopes_and_short_names_are_kubefeds() {
        let names: Vec<_> = all_crds()
            .iter()
            .map(|crd| {
                format!(
                    "{} {} {} {}",
                    crd["metadata"]["name"].as_str().unwrap(),
                    crd["spec"]["versions"][0]["name"].as_str().unwrap(),
                    crd["spec"]["scope"].as_str().unwrap(),
                    crd["spec"]["names"]["shortNames"],
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                "cells.koinon.io v1alpha1 Namespaced null",
                "clusterpropagatedversions.core.kubefed.io v1alpha1 Cluster null",
                "federatedtypeconfigs.core.kubefed.io v1beta1 Namespaced [\"ftc\"]",
                "kubefedclusters.core.kubefed.io v1beta1 Namespaced [\"kfc\"]",
                "kubefedconfigs.core.kubefed.io v1beta1 Namespaced null",
                "propagatedversions.core.kubefed.io v1alpha1 Namespaced null",
            ]
        );
    }

    #[test]
    fn every_field_is_described() {
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
        let mut missing = Vec::new();
        for crd in all_crds() {
            let version = &crd["spec"]["versions"][0];
            walk(
                crd["spec"]["names"]["kind"].as_str().unwrap(),
                &version["schema"]["openAPIV3Schema"],
                &mut missing,
            );
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn schemas_have_no_words_that_structural_schemas_forbid() {
        for crd in all_crds() {
            let text = crd["spec"]["versions"][0].to_string();
            for word in ["$ref", "\"definitions\"", "\"$defs\"", "\"const\""] {
                assert!(
                    !text.contains(word),
                    "{word} in {}",
                    crd["metadata"]["name"]
                );
            }
        }
    }

    #[test]
    fn the_cluster_prints_kubefeds_columns() {
        let crd = crd("kubefedclusters.core.kubefed.io");
        let columns: Vec<_> = crd["spec"]["versions"][0]["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap())
            .collect();
        assert_eq!(columns, ["age", "ready", "kubernetes-version"]);
    }
}
