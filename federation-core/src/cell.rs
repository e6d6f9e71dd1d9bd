//! What stands for a cell.

use std::collections::BTreeMap;

use federation_api::kinds::{Cell, KubeFedCluster};
use federation_api::{annotations, labels, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::tenancy::Tenancy;

/// The `KubeFedCluster` that stands for `cell`: named `<cell>.<namespace>`, in the namespace of `base`, with the access
/// data of `base`, the cell's own labels (which selectors match), the labels that say what it stands for, and
/// tenant and workspace group of the hub namespace. Labels of the cell cannot forge the latter two groups.
/// Status is not part of it: readiness is copied from `base` by the health controller.
///
/// Idempotent and deterministic: apply it whenever cell, base or namespace changed.
#[must_use]
pub fn derive(
    cell: &Cell,
    base: &KubeFedCluster,
    namespace_labels: &BTreeMap<String, String>,
) -> KubeFedCluster {
    let name = cell.metadata.name.clone().unwrap_or_default();
    let namespace = cell.metadata.namespace.clone().unwrap_or_default();
    let mut all = cell.metadata.labels.clone().unwrap_or_default();
    for key in [labels::TENANT, labels::WORKSPACE_GROUP] {
        match namespace_labels.get(key) {
            Some(value) => all.insert(key.to_owned(), value.clone()),
            None => all.remove(key),
        };
    }
    let base_name = base.metadata.name.clone().unwrap_or_default();
    all.insert(labels::CELL.to_owned(), name.clone());
    all.insert(labels::CELL_NAMESPACE.to_owned(), namespace.clone());
    all.insert(labels::CLUSTER.to_owned(), base_name.clone());
    let mut notes = BTreeMap::from([(
        annotations::MEMBER_NAMESPACE.to_owned(),
        cell.member_namespace(),
    )]);
    if base.wants_tunnel() {
        notes.insert(
            annotations::CONNECTION.to_owned(),
            annotations::CONNECTION_TUNNEL.to_owned(),
        );
    }
    let owner = base.metadata.uid.clone().map(|uid| OwnerReference {
        api_version: names::api_version(names::CORE_GROUP, "v1beta1"),
        kind: "KubeFedCluster".into(),
        name: base_name,
        uid,
        controller: Some(false),
        block_owner_deletion: None,
    });
    KubeFedCluster {
        metadata: ObjectMeta {
            name: Some(names::cell_cluster(&name, &namespace)),
            namespace: base.metadata.namespace.clone(),
            labels: Some(all),
            annotations: Some(notes),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: base.spec.clone(),
        status: None,
    }
}

/// True if the stored derived cluster `held` is what [`derive`] wants: same access data, labels, annotations and owner.
/// Status, finalizers and what the API server sets do not count.
#[must_use]
pub fn is_in_step(held: &KubeFedCluster, wanted: &KubeFedCluster) -> bool {
    held.spec == wanted.spec
        && held.metadata.labels == wanted.metadata.labels
        && held.metadata.annotations == wanted.metadata.annotations
        && held.metadata.owner_references == wanted.metadata.owner_references
}

/// True if a cell of a hub namespace with these labels may live in `base`: a cluster that belongs to a tenant (or to a
/// workspace group) takes cells of that one only; one that belongs to nobody takes all.
#[must_use]
pub fn may_live_in(base: &KubeFedCluster, namespace_labels: &BTreeMap<String, String>) -> bool {
    let of_base = base.metadata.labels.as_ref();
    let of_base = of_base.map(Tenancy::from_labels).unwrap_or_default();
    let of_cell = Tenancy::from_labels(namespace_labels);
    let admits = |base: &Option<String>, cell: &Option<String>| base.is_none() || base == cell;
    admits(&of_base.tenant, &of_cell.tenant)
        && admits(&of_base.workspace_group, &of_cell.workspace_group)
}

/// The cell among `cells` that has the member namespace of `cell` in the same cluster already; `None` if it is free or its own.
/// Of several cells that claim one namespace the oldest has it (ties: by namespace and name), so that all readers
/// agree and a newcomer never takes it away. A cell without creation time counts as the newest.
#[must_use]
pub fn namespace_owner<'a>(
    cell: &Cell,
    cells: impl IntoIterator<Item = &'a Cell>,
) -> Option<&'a Cell> {
    let rank = |cell: &Cell| {
        let created = cell.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let key = (cell.metadata.namespace.clone(), cell.metadata.name.clone());
        (created.is_none(), created, key)
    };
    let own = rank(cell);
    let namespace = cell.member_namespace();
    cells
        .into_iter()
        .filter(|other| other.spec.cluster_ref.name == cell.spec.cluster_ref.name)
        .filter(|other| other.member_namespace() == namespace)
        .map(|other| (rank(other), other))
        .filter(|(rank, _)| *rank < own && rank.2 != own.2)
        .min_by(|a, b| a.0.cmp(&b.0))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_cluster_takes_the_tenants_cells_only() {
        let group = |tenant: &str| BTreeMap::from([(labels::TENANT.to_owned(), tenant.to_owned())]);
        let base = |labels: BTreeMap<String, String>| {
            let spec = serde_json::json!({"apiEndpoint": "https://hz", "secretRef": {"name": "s"}});
            let mut base = KubeFedCluster::new("hz-1", serde_json::from_value(spec).unwrap());
            base.metadata.labels = Some(labels);
            base
        };
        assert!(may_live_in(&base(BTreeMap::new()), &group("bank")));
        assert!(may_live_in(&base(group("bank")), &group("bank")));
        assert!(!may_live_in(&base(group("bank")), &group("shop")));
        assert!(!may_live_in(&base(group("bank")), &BTreeMap::new()));
    }
    use crate::testing::labels_of;
    use serde_json::json;

    #[test]
    fn a_cell_cannot_forge_its_tenant() {
        let cell: Cell = serde_json::from_value(json!({
            "apiVersion": "koinon.io/v1alpha1", "kind": "Cell",
            "metadata": {"name": "rz00a", "namespace": "bank-prod", "labels": {"region": "hz", "koinon.io/tenant": "shop", "koinon.io/cell": "x"}},
            "spec": {"clusterRef": {"name": "hz-1"}},
        }))
        .unwrap();
        let base: KubeFedCluster = serde_json::from_value(json!({
            "apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
            "metadata": {"name": "hz-1", "namespace": "kube-federation-system", "uid": "u"},
            "spec": {"apiEndpoint": "https://hz", "secretRef": {"name": "s"}},
        }))
        .unwrap();
        let derived = derive(&cell, &base, &labels_of(&[("koinon.io/tenant", "bank")]));
        assert_eq!(derived.metadata.name.as_deref(), Some("rz00a.bank-prod"));
        assert_eq!(
            derived.metadata.labels,
            Some(labels_of(&[
                ("region", "hz"),
                ("koinon.io/tenant", "bank"),
                ("koinon.io/cell", "rz00a"),
                ("koinon.io/cell-namespace", "bank-prod"),
                ("koinon.io/cluster", "hz-1"),
            ]))
        );
        assert_eq!(derived.spec, base.spec);
        assert_eq!(derived.derived_from(), Some(("rz00a", "bank-prod")));
        assert_eq!(derived.physical_name(), "hz-1");
    }

    #[test]
    fn the_older_cell_has_the_namespace() {
        let cell = |name: &str, cluster: &str, created: &str| -> Cell {
            serde_json::from_value(json!({
                "apiVersion": "koinon.io/v1alpha1", "kind": "Cell",
                "metadata": {"name": name, "namespace": "bank", "creationTimestamp": created},
                "spec": {"clusterRef": {"name": cluster}, "memberNamespace": "shared"},
            }))
            .unwrap()
        };
        let (old, new) = (
            cell("b", "hz-1", "2026-01-01T00:00:00Z"),
            cell("a", "hz-1", "2026-01-02T00:00:00Z"),
        );
        let elsewhere = cell("c", "sh-1", "2025-01-01T00:00:00Z");
        let all = [old.clone(), new.clone(), elsewhere];
        assert_eq!(
            namespace_owner(&new, &all).and_then(|owner| owner.metadata.name.as_deref()),
            Some("b")
        );
        assert!(namespace_owner(&old, &all).is_none());
    }
}
