//! What may become of a `Cell`.

use apiserver::status::ApiError;
use federation_api::Cell;
use federation_api::annotations::{
    CELL_DELETION_DELETE, CELL_DELETION_ORPHAN, CELL_DELETION_POLICY,
};
use federation_api::federated::southbound::FederatedObject;
use federation_core::field::Path;
use federation_core::member::Member;
use federation_core::placement::{Topology, resolve};

use super::{Facts, Request};

/// So many objects are named in a refusal.
const NAMED: usize = 5;

/// A cell that objects are placed in goes only with the word what becomes of them.
pub(super) fn may_be_deleted(facts: &dyn Facts, request: &Request<'_>) -> Result<(), ApiError> {
    let Some(Ok(cell)) = request
        .old
        .map(|old| serde_json::from_value::<Cell>(old.clone()))
    else {
        return Ok(());
    };
    let policy = cell
        .metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(CELL_DELETION_POLICY));
    if policy.is_some_and(|p| p == CELL_DELETION_ORPHAN || p == CELL_DELETION_DELETE) {
        return Ok(());
    }
    let clusters = facts.clusters();
    let member = clusters
        .iter()
        .filter(|cluster| cluster.metadata.name.as_deref() == Some(&*cell.derived_cluster_name()))
        .find_map(|cluster| Member::of(cluster, Some(&cell)));
    let placed: Vec<String> = facts
        .federated_objects(request.namespace)
        .into_iter()
        .filter(|(_, object)| is_placed(object, &cell, member.as_ref()))
        .map(|(name, _)| name)
        .collect();
    if placed.is_empty() {
        return Ok(());
    }
    let more = match placed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(ApiError::forbidden(
        request.group,
        request.plural,
        request.name,
        &format!(
            "objects are placed in it: {}{more}; take it out of their placement, or annotate the cell with \
             {CELL_DELETION_POLICY}={CELL_DELETION_DELETE} (they are deleted in the member) or \
             {CELL_DELETION_POLICY}={CELL_DELETION_ORPHAN} (they stay)",
            placed[..placed.len().min(NAMED)].join(", ")
        ),
    ))
}

/// Is the object meant to be, or still known to be, in the cell? `member` is what stands for the cell, if it exists.
fn is_placed(object: &FederatedObject, cell: &Cell, member: Option<&Member>) -> bool {
    let name = cell.derived_cluster_name();
    let placement = object.spec.placement.as_ref();
    let listed = placement
        .and_then(|p| p.clusters.as_ref())
        .is_some_and(|clusters| clusters.iter().any(|one| one.name == name));
    let held = object
        .status
        .as_ref()
        .and_then(|status| status.clusters.as_ref())
        .is_some_and(|entries| entries.iter().any(|one| one.name == name));
    let path = Path::new("spec").child("placement");
    listed
        || held
        || resolve(placement, &Topology::of(object), member, &path)
            .is_ok_and(|selected| selected.contains(&name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn placement_and_status_both_hold_a_cell() {
        let object = |spec: Value, status: Value| -> FederatedObject {
            serde_json::from_value(json!({
                "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedFoo",
                "metadata": {"name": "foo", "namespace": "bank-prod",
                    "annotations": {"koinon.io/topology-type": "cell"}},
                "spec": spec, "status": status}))
            .unwrap()
        };
        let cell: Cell = serde_json::from_value(json!({
            "apiVersion": "koinon.io/v1alpha1", "kind": "Cell",
            "metadata": {"name": "rz00a", "namespace": "bank-prod"},
            "spec": {"clusterRef": {"name": "hz-1"}},
        }))
        .unwrap();
        let placed = |spec, status| is_placed(&object(spec, status), &cell, None);
        assert!(placed(
            json!({"placement": {"clusters": [{"name": "rz00a.bank-prod"}]}}),
            json!({})
        ));
        assert!(!placed(
            json!({"placement": {"clusters": [{"name": "hz-1"}]}}),
            json!({})
        ));
        assert!(placed(
            json!({}),
            json!({"clusters": [{"name": "rz00a.bank-prod"}]})
        ));
    }
}
