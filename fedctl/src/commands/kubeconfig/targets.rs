//! Which contexts there are to be, and their names. Pure.

use std::collections::BTreeMap;

use federation_api::kinds::{Cell, KubeFedCluster};

/// Something that a context leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Name of the context.
    pub(super) context: String,
    /// Name of the `KubeFedCluster` in the proxy's path.
    pub(super) cluster: String,
    /// Namespace that kubectl starts in: a cell's own.
    pub(super) namespace: Option<String>,
}

/// Physical clusters by their names, then cells by theirs: `rz00a` where that is unique, else `rz00a.bank-prod` for all
/// that share it, so that a short name never comes to mean another cell.
pub(super) fn targets(clusters: &[KubeFedCluster], cells: &[Cell]) -> Vec<Target> {
    let mut found: Vec<Target> = clusters
        .iter()
        .filter(|cluster| cluster.derived_from().is_none())
        .filter_map(|cluster| cluster.metadata.name.clone())
        .map(|name| Target {
            context: name.clone(),
            cluster: name,
            namespace: None,
        })
        .collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *uses.entry(name(cell)).or_default() += 1;
    }
    let mut of_cells: Vec<Target> = cells
        .iter()
        .map(|cell| {
            let taken = uses.get(name(cell)).is_some_and(|uses| *uses > 1)
                || found.iter().any(|cluster| cluster.context == name(cell));
            let full = cell.derived_cluster_name();
            Target {
                context: if taken {
                    full.clone()
                } else {
                    name(cell).to_owned()
                },
                cluster: full,
                namespace: Some(cell.member_namespace()),
            }
        })
        .collect();
    found.sort_by(|a, b| a.context.cmp(&b.context));
    of_cells.sort_by(|a, b| a.context.cmp(&b.context));
    found.append(&mut of_cells);
    found
}

fn name(cell: &Cell) -> &str {
    cell.metadata.name.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cell(namespace: &str, name: &str) -> Cell {
        serde_json::from_value(json!({"apiVersion": "koinon.io/v1alpha1", "kind": "Cell",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"clusterRef": {"name": "hz-1"}}}))
        .unwrap()
    }

    fn cluster(name: &str, labels: serde_json::Value) -> KubeFedCluster {
        serde_json::from_value(json!({"apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
            "metadata": {"name": name, "labels": labels}, "spec": {"apiEndpoint": "h", "secretRef": {"name": "s"}}}))
        .unwrap()
    }

    #[test]
    fn short_names_are_unique_or_not_used() {
        let clusters = [
            cluster("hz-1", json!({})),
            cluster("edge", json!({})),
            cluster(
                "rz00a.bank",
                json!({"koinon.io/cell": "rz00a", "koinon.io/cell-namespace": "bank"}),
            ),
        ];
        let cells = [
            cell("bank", "rz00a"),
            cell("shop", "rz00a"),
            cell("bank", "rz00b"),
            cell("bank", "edge"),
        ];
        let found = targets(&clusters, &cells);
        let names: Vec<[&str; 3]> = found
            .iter()
            .map(|t| {
                [
                    t.context.as_str(),
                    t.cluster.as_str(),
                    t.namespace.as_deref().unwrap_or("-"),
                ]
            })
            .collect();
        assert_eq!(
            names,
            [
                ["edge", "edge", "-"],
                ["hz-1", "hz-1", "-"],
                ["edge.bank", "edge.bank", "bank-edge"],
                ["rz00a.bank", "rz00a.bank", "bank-rz00a"],
                ["rz00a.shop", "rz00a.shop", "shop-rz00a"],
                ["rz00b", "rz00b.bank", "bank-rz00b"],
            ]
        );
    }
}
