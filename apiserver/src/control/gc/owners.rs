//! What has become of an object's owners.

use std::sync::Arc;

use crate::api::Api;
use crate::object::{Obj, OwnerReference};
use crate::verbs::FOREGROUND;

/// The owners of one object, by what has become of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    /// Uids of those that are there.
    pub(super) solid: Vec<String>,
    /// Uids of those that are gone.
    pub(super) dangling: Vec<String>,
    /// Uids of those that wait for their dependents to go.
    pub(super) waiting: Vec<String>,
}

/// Looks at every owner of an object.
pub(super) fn classify(api: &Api, dependent: &Obj) -> Owners {
    let mut owners = Owners::default();
    for reference in &dependent.meta.owner_references {
        let uid = reference.uid.clone();
        match look(api, dependent, reference) {
            Found::Unknown => owners.solid.push(uid),
            Found::Absent => owners.dangling.push(uid),
            Found::There(owner) if waits(&owner) => owners.waiting.push(uid),
            Found::There(_) => owners.solid.push(uid),
        }
    }
    owners
}

/// Is it being deleted in the foreground?
pub(super) fn waits(owner: &Obj) -> bool {
    owner.meta.deletion_timestamp.is_some() && owner.meta.finalizers.iter().any(|f| f == FOREGROUND)
}

/// The owner that a reference names, if it is there and has the uid.
pub(super) fn find(api: &Api, dependent: &Obj, reference: &OwnerReference) -> Option<Arc<Obj>> {
    match look(api, dependent, reference) {
        Found::There(owner) => Some(owner),
        Found::Absent | Found::Unknown => None,
    }
}

enum Found {
    There(Arc<Obj>),
    /// There is no such object, or another one of that name.
    Absent,
    /// It cannot be known: its kind is not served, or a namespaced owner is named by a cluster-scoped object.
    Unknown,
}

fn look(api: &Api, dependent: &Obj, reference: &OwnerReference) -> Found {
    let group = reference
        .api_version
        .split_once('/')
        .map_or("", |(group, _)| group);
    let kinds = api.registry.kinds();
    let Some(kind) = kinds.by_kind(group, &reference.kind) else {
        return Found::Unknown;
    };
    let namespace = if kind.namespaced() {
        if dependent.namespace().is_empty() {
            return Found::Unknown;
        }
        dependent.namespace()
    } else {
        ""
    };
    match api.cache.get(&kind.resource, namespace, &reference.name) {
        Some(owner) if owner.meta.uid == reference.uid => Found::There(owner),
        _ => Found::Absent,
    }
}
