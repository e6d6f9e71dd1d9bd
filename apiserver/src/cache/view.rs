//! All objects at one revision, in persistent maps: copies are free and never change.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use apiserver_store::{Key, Revision};
use equivalent::{Comparable, Equivalent};
use imbl::{OrdMap, OrdSet};

use crate::object::Obj;

/// Names an object within its resource. Ordered bytewise by namespace, then name: the order of lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Never empty.
    pub name: Arc<str>,
}

impl ObjectName {
    /// The part of a store key that is left within a resource.
    pub fn of(key: &Key) -> Self {
        Self {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

/// A borrowed [`ObjectName`], to look things up without allocating.
struct Place<'a>(&'a str, &'a str);

impl Equivalent<ObjectName> for Place<'_> {
    fn equivalent(&self, key: &ObjectName) -> bool {
        *self.0 == *key.namespace && *self.1 == *key.name
    }
}

impl Comparable<ObjectName> for Place<'_> {
    fn compare(&self, key: &ObjectName) -> Ordering {
        (self.0, self.1).cmp(&(&*key.namespace, &*key.name))
    }
}

/// The objects of one resource.
pub type Objects = OrdMap<ObjectName, Arc<Obj>>;

/// One resource as it was at a revision. Cloning is free; later changes do not show.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The revision that the objects show.
    pub revision: Revision,
    /// The objects in list order.
    pub objects: Objects,
}

impl Snapshot {
    /// One object; `namespace` is empty for cluster-scoped ones.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Obj>> {
        self.objects.get(&Place(namespace, name))
    }

    /// The objects of one namespace or of all, in order; with `from`, only those at or after that namespace and name.
    pub fn range<'a>(
        &'a self,
        namespace: Option<&'a str>,
        from: Option<(&'a str, &'a str)>,
    ) -> impl Iterator<Item = &'a Arc<Obj>> {
        let start = match (namespace, from) {
            (Some(namespace), None) => Place(namespace, ""),
            (Some(namespace), Some(from)) if from.0 < namespace => Place(namespace, ""),
            (_, Some(from)) => Place(from.0, from.1),
            (None, None) => Place("", ""),
        };
        self.objects
            .range::<_, Place<'_>>((Bound::Included(&start), Bound::Unbounded))
            .map(|(_, object)| object)
            .take_while(move |object| namespace.is_none_or(|n| *object.key.namespace == *n))
    }
}

/// Everything at one revision.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) revision: Revision,
    pub(super) tables: OrdMap<Arc<str>, Objects>,
    pub(super) dependents: OrdMap<Arc<str>, OrdSet<Key>>,
}

impl View {
    pub(super) fn snapshot(&self, resource: &str) -> Snapshot {
        Snapshot {
            revision: self.revision,
            objects: self.tables.get(resource).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Obj>> {
        self.find(&key.resource, &key.namespace, &key.name)
    }

    pub(super) fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<&Arc<Obj>> {
        self.tables.get(resource)?.get(&Place(namespace, name))
    }

    /// Everything that names the uid in its owner references.
    pub(super) fn dependents(&self, uid: &str) -> Vec<Arc<Obj>> {
        let keys = self.dependents.get(uid);
        keys.into_iter()
            .flatten()
            .filter_map(|key| self.get(key).cloned())
            .collect()
    }

    /// Puts an object in, in the place of what was there.
    pub(super) fn insert(&mut self, object: Arc<Obj>) {
        let name = ObjectName::of(&object.key);
        let table = self.tables.entry(object.key.resource.clone()).or_default();
        let old = table.insert(name, object.clone());
        if old.as_ref().is_some_and(|old| owned_alike(old, &object)) {
            return;
        }
        if let Some(old) = old {
            self.disown(&old);
        }
        for owner in &object.meta.owner_references {
            let keys = self
                .dependents
                .entry(owner.uid.as_str().into())
                .or_default();
            keys.insert(object.key.clone());
        }
    }

    /// Takes an object out, if it is there.
    pub(super) fn remove(&mut self, key: &Key) {
        let Some(table) = self.tables.get_mut(&*key.resource) else {
            return;
        };
        let old = table.remove(&Place(&key.namespace, &key.name));
        if table.is_empty() {
            self.tables.remove(&*key.resource);
        }
        if let Some(old) = old {
            self.disown(&old);
        }
    }

    fn disown(&mut self, old: &Obj) {
        for owner in &old.meta.owner_references {
            let Some(keys) = self.dependents.get_mut(owner.uid.as_str()) else {
                continue;
            };
            keys.remove(&old.key);
            if keys.is_empty() {
                self.dependents.remove(owner.uid.as_str());
            }
        }
    }
}

fn owned_alike(a: &Obj, b: &Obj) -> bool {
    a.meta.owner_references == b.meta.owner_references
}
