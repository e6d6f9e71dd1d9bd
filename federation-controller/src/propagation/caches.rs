//! The member caches of one type: one per physical cluster, shared by all cells in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use federation_api::Cell;
use federation_core::member::CellFacts;

use crate::hub::ObjectKey;
use crate::members::{Member, MemberCache};

/// Caches by physical cluster.
#[derive(Default)]
pub(super) struct Caches {
    held: Mutex<HashMap<String, Arc<MemberCache>>>,
}

impl Caches {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<MemberCache>>> {
        self.held.lock().expect("no holder of this lock panics")
    }

    pub(super) fn get(&self, physical: &str) -> Option<Arc<MemberCache>> {
        self.lock().get(physical).cloned()
    }

    /// All caches.
    pub(super) fn all(&self) -> Vec<(String, Arc<MemberCache>)> {
        self.lock()
            .iter()
            .map(|(name, cache)| (name.clone(), Arc::clone(cache)))
            .collect()
    }

    /// Brings the caches in step with the registered clusters: starts what is missing, ends what is gone.
    pub(super) fn keep(
        &self,
        members: impl IntoIterator<Item = Arc<Member>>,
        start: impl Fn(Arc<Member>) -> MemberCache,
    ) {
        let members: HashMap<String, Arc<Member>> = members
            .into_iter()
            .map(|member| (member.name().to_owned(), member))
            .collect();
        let mut held = self.lock();
        held.retain(|name, _| members.contains_key(name));
        for (name, member) in members {
            held.entry(name).or_insert_with(|| Arc::new(start(member)));
        }
    }
}

/// Where the objects of a type live in members, and whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Residence {
    /// The target is namespaced: in the namespace of the cell, or in one called like the hub's.
    Namespaced,
    /// The target is cluster-scoped, and so is the federated kind.
    Clustered,
    /// The target is Namespace: its federated object lives in the namespace it stands for.
    Namespace,
}

impl Residence {
    /// Key in a member of the object that a federated object becomes there.
    pub(super) fn member_key(self, object: &ObjectKey, cell: Option<&CellFacts>) -> ObjectKey {
        match (self, cell) {
            (Self::Namespaced, Some(cell)) => {
                ObjectKey::new(cell.member_namespace.clone(), object.name.clone())
            }
            (Self::Namespaced, None) => object.clone(),
            (Self::Clustered | Self::Namespace, _) => ObjectKey::new("", object.name.clone()),
        }
    }

    /// Keys of the federated objects that an object of a physical cluster may come from.
    pub(super) fn federated_keys<'a>(
        self,
        physical: &str,
        key: &ObjectKey,
        cells: impl Iterator<Item = &'a Cell>,
    ) -> Vec<ObjectKey> {
        match self {
            Self::Clustered => vec![ObjectKey::new("", key.name.clone())],
            Self::Namespace => vec![ObjectKey::new(key.name.clone(), key.name.clone())],
            Self::Namespaced => {
                let of_cells: Vec<ObjectKey> = cells
                    .filter(|cell| {
                        cell.spec.cluster_ref.name == physical
                            && cell.member_namespace() == key.namespace
                    })
                    .map(|cell| {
                        ObjectKey::new(
                            cell.metadata.namespace.clone().unwrap_or_default(),
                            key.name.clone(),
                        )
                    })
                    .collect();
                if of_cells.is_empty() {
                    vec![key.clone()]
                } else {
                    of_cells
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use federation_api::kinds::{CellSpec, ClusterRef};

    use super::*;

    fn cell() -> Cell {
        let cluster_ref = ClusterRef {
            name: "hz-1".to_owned(),
        };
        let mut cell = Cell::new(
            "rz00a",
            CellSpec {
                cluster_ref,
                member_namespace: None,
                pod_placement: None,
            },
        );
        cell.metadata.namespace = Some("bank".to_owned());
        cell
    }

    #[test]
    fn keys_go_there_and_back() {
        let cell = cell();
        let object = ObjectKey::new("bank", "foo-01");
        let there = Residence::Namespaced.member_key(&object, Some(&CellFacts::of(&cell)));
        assert_eq!(there, ObjectKey::new("bank-rz00a", "foo-01"));
        let back = |residence: Residence, physical: &str, key: &ObjectKey| {
            residence.federated_keys(physical, key, std::iter::once(&cell))
        };
        assert_eq!(
            back(Residence::Namespaced, "hz-1", &there),
            std::slice::from_ref(&object)
        );
        // The same namespace in another cluster is nobody's cell.
        assert_eq!(back(Residence::Namespaced, "sh-1", &there), [there]);
        assert_eq!(Residence::Namespaced.member_key(&object, None), object);
        let namespace = ObjectKey::new("bank", "bank");
        assert_eq!(
            Residence::Namespace.member_key(&namespace, None),
            ObjectKey::new("", "bank")
        );
        assert_eq!(
            back(Residence::Namespace, "hz-1", &ObjectKey::new("", "bank")),
            [namespace]
        );
    }
}
