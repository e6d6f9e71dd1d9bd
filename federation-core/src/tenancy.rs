//! Whose members an object may reach at all.

use std::collections::BTreeMap;

use federation_api::labels;

/// Tenant and workspace group of a hub namespace, of a cluster-scoped federated object, or of a member.
///
/// Labels that are absent are a tenancy of their own: an installation that uses no tenants has every object and every
/// member in it, and a tenant's objects do not reach members that belong to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenancy {
    /// Value of `koinon.io/tenant`.
    pub tenant: Option<String>,
    /// Value of `koinon.io/workspace-group`.
    pub workspace_group: Option<String>,
    /// Hub namespace of a federated object; `None` for cluster-scoped ones, and for members.
    pub namespace: Option<String>,
}

impl Tenancy {
    /// Reads the tenancy from labels: of the hub namespace for namespaced federated objects, of the object itself for
    /// cluster-scoped ones, of the `KubeFedCluster` for members.
    #[must_use]
    pub fn from_labels(labels: &BTreeMap<String, String>) -> Self {
        let read = |key: &str| labels.get(key).filter(|value| !value.is_empty()).cloned();
        Self {
            tenant: read(labels::TENANT),
            workspace_group: read(labels::WORKSPACE_GROUP),
            namespace: None,
        }
    }

    /// The same, of the federated objects in a hub namespace.
    #[must_use]
    pub fn within(self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self
        }
    }

    /// True if an object of this tenancy may reach a member with these labels: both labels agree, absent with absent, and a cell is
    /// of the object's own namespace. Another namespace's cell may hold an object of the same kind and name, which is that
    /// namespace's: it must be neither changed nor, as one that left the placement, deleted.
    /// Placement, mask, deletion and status reads come after this test.
    #[must_use]
    pub fn reaches(&self, member_labels: &BTreeMap<String, String>) -> bool {
        let member = Self::from_labels(member_labels);
        let own_cell = match (&self.namespace, member_labels.get(labels::CELL_NAMESPACE)) {
            (Some(own), Some(of_cell)) => own == of_cell,
            _ => true,
        };
        self.tenant == member.tenant && self.workspace_group == member.workspace_group && own_cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cells_of_the_own_namespace_are_reached() {
        let cell = |namespace: &str| {
            BTreeMap::from([(labels::CELL_NAMESPACE.to_owned(), namespace.to_owned())])
        };
        let own = Tenancy::default().within("bank-prod");
        assert!(own.reaches(&cell("bank-prod")));
        assert!(!own.reaches(&cell("shop-prod")));
        assert!(own.reaches(&BTreeMap::new()), "plain clusters are for all");
        assert!(Tenancy::default().reaches(&cell("bank-prod")));
    }

    #[test]
    fn only_the_own_tenant_and_group_are_reached() {
        let labels = |tenant: &str, group: &str| {
            let mut map = BTreeMap::new();
            for (key, value) in [(labels::TENANT, tenant), (labels::WORKSPACE_GROUP, group)] {
                if !value.is_empty() {
                    map.insert(key.to_owned(), value.to_owned());
                }
            }
            map
        };
        let all = [
            labels("", ""),
            labels("bank", ""),
            labels("bank", "prod"),
            labels("bank", "test"),
            labels("shop", "prod"),
        ];
        for (i, own) in all.iter().enumerate() {
            for (j, member) in all.iter().enumerate() {
                assert_eq!(Tenancy::from_labels(own).reaches(member), i == j);
            }
        }
    }
}
