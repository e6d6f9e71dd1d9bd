//! Which members an object names.

use std::collections::BTreeSet;

use federation_api::federated::southbound::{FederatedObject, Placement};

use crate::field::Path;
use crate::member::Member;
use crate::selector::{InvalidSelector, Selector};

/// Whose topologies a placement names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// True under `topologyType: cell`.
    pub cells: bool,
    /// Hub namespace of the object.
    pub namespace: String,
}

impl Topology {
    /// The topology of a stored object.
    #[must_use]
    pub fn of(object: &FederatedObject) -> Self {
        Self {
            cells: object.places_in_cells(),
            namespace: object.namespace().to_owned(),
        }
    }
}

/// Resolves a placement or a mask over `members`, which must already be limited to the object's tenancy.
///
/// KubeFed's truth table: a list, even an empty one, wins over the selector; without a list the selector decides, and
/// the empty selector takes all; with neither (or without placement) nothing is selected. Names that are not
/// registered are ignored. Selectors see cells of the object's own namespace under `topologyType: cell`, and
/// otherwise only physical clusters; naming a derived cluster in the list always works.
///
/// # Errors
/// If the selector is needed and invalid. `path` is where the placement stands.
pub fn resolve<'a>(
    placement: Option<&Placement>,
    topology: &Topology,
    members: impl IntoIterator<Item = &'a Member>,
    path: &Path,
) -> Result<BTreeSet<String>, InvalidSelector> {
    let Some(placement) = placement else {
        return Ok(BTreeSet::new());
    };
    let members = members.into_iter();
    if let Some(clusters) = &placement.clusters {
        let named: BTreeSet<&str> = clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect();
        return Ok(names(
            members.filter(|member| named.contains(member.name.as_str())),
        ));
    }
    let Some(selector) = &placement.cluster_selector else {
        return Ok(BTreeSet::new());
    };
    let selector = Selector::parse(selector, &path.child("clusterSelector"))?;
    Ok(names(members.filter(|member| {
        in_sight(member, topology) && selector.matches(&member.labels)
    })))
}

fn names<'a>(members: impl Iterator<Item = &'a Member>) -> BTreeSet<String> {
    members.map(|member| member.name.clone()).collect()
}

/// True if selectors of the object can see the member.
fn in_sight(member: &Member, topology: &Topology) -> bool {
    match &member.cell {
        None => !topology.cells,
        Some(cell) => topology.cells && cell.namespace == topology.namespace,
    }
}

/// How the namespace of a namespaced object limits its placement in plain clusters. Cells are not limited by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NamespaceRule {
    /// No limit: the target is cluster-scoped, or the control plane is Namespaced and has no FederatedNamespace.
    #[default]
    Unrestricted,
    /// The namespace has no FederatedNamespace: no plain cluster.
    NotFederated,
    /// The clusters that the FederatedNamespace's own placement selects.
    Limited(BTreeSet<String>),
}

impl NamespaceRule {
    /// True if a selected member survives the rule.
    #[must_use]
    pub fn admits(&self, member: &Member) -> bool {
        member.cell.is_some()
            || match self {
                Self::Unrestricted => true,
                Self::NotFederated => false,
                Self::Limited(clusters) => clusters.contains(&member.name),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cell, cluster};
    use serde_json::{Value, json};

    fn resolved(placement: Value, cells: bool) -> Vec<String> {
        let members = [
            cluster("hz-1", &[("region", "hz")]),
            cluster("sh-1", &[("region", "sh")]),
            cell("rz00a", "bank-prod", "hz-1", &[("region", "hz")]),
            cell("rz01a", "bank-prod", "sh-1", &[("region", "sh")]),
            cell("rz00a", "shop", "hz-1", &[("region", "hz")]),
        ];
        let placement: Option<Placement> = serde_json::from_value(placement).unwrap();
        let topology = Topology {
            cells,
            namespace: "bank-prod".into(),
        };
        resolve(
            placement.as_ref(),
            &topology,
            &members,
            &Path::new("spec").child("placement"),
        )
        .unwrap()
        .into_iter()
        .collect()
    }

    #[test]
    fn the_truth_table_is_kubefeds() {
        let none: [&str; 0] = [];
        assert_eq!(resolved(json!(null), false), none);
        assert_eq!(resolved(json!({}), false), none);
        assert_eq!(resolved(json!({"clusters": []}), false), none);
        assert_eq!(
            resolved(json!({"clusters": [], "clusterSelector": {}}), false),
            none
        );
        assert_eq!(
            resolved(json!({"clusters": null, "clusterSelector": {}}), false),
            ["hz-1", "sh-1"]
        );
        assert_eq!(
            resolved(json!({"clusterSelector": {}}), false),
            ["hz-1", "sh-1"]
        );
        assert_eq!(
            resolved(
                json!({"clusterSelector": {"matchLabels": {"region": "hz"}}}),
                false
            ),
            ["hz-1"]
        );
        assert_eq!(
            resolved(
                json!({"clusters": [{"name": "sh-1"}, {"name": "gone"}], "clusterSelector": {}}),
                false
            ),
            ["sh-1"]
        );
    }

    #[test]
    fn selectors_see_cells_only_under_cell_and_only_the_own_ones() {
        assert_eq!(
            resolved(json!({"clusterSelector": {}}), true),
            ["rz00a.bank-prod", "rz01a.bank-prod"]
        );
        assert_eq!(
            resolved(
                json!({"clusterSelector": {"matchLabels": {"region": "hz"}}}),
                true
            ),
            ["rz00a.bank-prod"]
        );
        let named = json!({"clusters": [{"name": "rz00a.bank-prod"}, {"name": "hz-1"}]});
        assert_eq!(resolved(named, false), ["hz-1", "rz00a.bank-prod"]);
    }

    #[test]
    fn a_namespace_limits_plain_clusters_only() {
        let (plain, cell) = (
            cluster("hz-1", &[]),
            cell("rz00a", "bank-prod", "hz-1", &[]),
        );
        for (rule, expected) in [
            (NamespaceRule::Unrestricted, (true, true)),
            (NamespaceRule::NotFederated, (false, true)),
            (NamespaceRule::Limited(BTreeSet::new()), (false, true)),
            (
                NamespaceRule::Limited(BTreeSet::from(["hz-1".to_owned()])),
                (true, true),
            ),
        ] {
            assert_eq!(
                (rule.admits(&plain), rule.admits(&cell)),
                expected,
                "{rule:?}"
            );
        }
    }
}
