//! What the store holds and says: keys, records, mutations and changes.
//!
//! Values may be secrets, so `Debug` shows their length and never their bytes.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::Revision;

/// Names one object. Ordered bytewise by resource, then namespace, then name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `<group>/<plural>`; the core group is empty: `/configmaps`, `apps/deployments`.
    pub resource: Arc<str>,
    /// Empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Never empty: [`Store::commit`](crate::Store::commit) refuses a key without a name, as one with a part longer than
    /// 384, 128 and 512 bytes.
    pub name: Arc<str>,
}

impl Key {
    /// Puts a key together from its parts.
    pub fn new(
        resource: impl Into<Arc<str>>,
        namespace: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl Key {
    /// Whether every backend can hold it: complete, without NUL, and no longer than the columns for it, which are
    /// twice as wide as what Kubernetes allows.
    pub(crate) fn is_storable(&self) -> bool {
        let fits = |part: &str, longest| part.len() <= longest && !part.contains('\0');
        !self.resource.is_empty()
            && !self.name.is_empty()
            && fits(&self.resource, 384)
            && fits(&self.namespace, 128)
            && fits(&self.name, 512)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.resource, self.name)
        } else {
            write!(f, "{} {}/{}", self.resource, self.namespace, self.name)
        }
    }
}

/// An object as it is at some revision.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Which object.
    pub key: Key,
    /// The change that gave it this value.
    pub revision: Revision,
    /// The change that created it. Deleting and creating again starts anew.
    pub create_revision: Revision,
    /// Opaque to the store; by convention the object's JSON without `metadata.resourceVersion`.
    pub value: Bytes,
}

/// What a mutation must find for it to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No object of that key.
    Absent,
    /// The object exactly as that revision left it.
    Revision(Revision),
}

impl Expect {
    /// Whether this expectation is met by what is there now.
    pub fn is_met_by(self, current: Option<&Record>) -> bool {
        match (self, current) {
            (Self::Absent, current) => current.is_none(),
            (Self::Revision(expected), Some(record)) => record.revision == expected,
            (Self::Revision(_), None) => false,
        }
    }
}

/// What a mutation does.
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// Creates or replaces the object with this value.
    Put(Bytes),
    /// Removes the object. The value is its final state, which watchers see in the change. A deletion that
    /// expects absence never succeeds.
    Delete(Bytes),
}

/// One conditional write of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// Which object.
    pub key: Key,
    /// What must be there.
    pub expect: Expect,
    /// What to do then.
    pub action: Action,
}

impl Mutation {
    /// The size of what it writes, in bytes, without the key.
    pub(crate) fn weight(&self) -> usize {
        match &self.action {
            Action::Put(value) | Action::Delete(value) => value.len(),
        }
    }
}

/// Which kind of change happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there before; `previous` is `None`.
    Created,
    /// It has a new value.
    Updated,
    /// It is gone; the change's value is its final state.
    Deleted,
}

/// What an object was before a change.
#[derive(Clone, PartialEq, Eq)]
pub struct Previous {
    /// The change that gave it that value.
    pub revision: Revision,
    /// The value then.
    pub value: Bytes,
}

/// One entry of the history.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// Its own revision, also for deletions.
    pub revision: Revision,
    /// Which object.
    pub key: Key,
    /// What happened.
    pub kind: ChangeKind,
    /// When the object's present life began; equals `revision` for a creation.
    pub create_revision: Revision,
    /// The new value, or the final state of a deleted object.
    pub value: Bytes,
    /// What it was before; `None` exactly for a creation.
    pub previous: Option<Previous>,
}

impl Change {
    /// The object after this change: `None` if it was deleted.
    pub fn record(&self) -> Option<Record> {
        match self.kind {
            ChangeKind::Created | ChangeKind::Updated => Some(Record {
                key: self.key.clone(),
                revision: self.revision,
                create_revision: self.create_revision,
                value: self.value.clone(),
            }),
            ChangeKind::Deleted => None,
        }
    }

    /// The size of its values, in bytes: what it weighs in the log.
    pub(crate) fn weight(&self) -> usize {
        let previous = self.previous.as_ref().map_or(0, |prev| prev.value.len());
        self.value.len() + previous
    }
}

/// Some consecutive records of a list, in key order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most as many as were asked for.
    pub records: Vec<Record>,
    /// Whether more records follow the last one of this page at the same revision.
    pub more: bool,
}

/// Stands in for a value in `Debug` output.
struct Hidden<'a>(&'a Bytes);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("revision", &self.revision)
            .field("create_revision", &self.create_revision)
            .field("value", &Hidden(&self.value))
            .finish()
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(value) => f.debug_tuple("Put").field(&Hidden(value)).finish(),
            Self::Delete(value) => f.debug_tuple("Delete").field(&Hidden(value)).finish(),
        }
    }
}

impl fmt::Debug for Previous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Previous")
            .field("revision", &self.revision)
            .field("value", &Hidden(&self.value))
            .finish()
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("revision", &self.revision)
            .field("key", &self.key)
            .field("kind", &self.kind)
            .field("create_revision", &self.create_revision)
            .field("value", &Hidden(&self.value))
            .field("previous", &self.previous)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_value() {
        let value = Bytes::from_static(b"hunter2");
        let key = Key::new("/secrets", "default", "password");
        let change = Change {
            revision: Revision::new(2),
            key: key.clone(),
            kind: ChangeKind::Updated,
            create_revision: Revision::new(1),
            value: value.clone(),
            previous: Some(Previous {
                revision: Revision::new(1),
                value: value.clone(),
            }),
        };
        let mutation = Mutation {
            key,
            expect: Expect::Absent,
            action: Action::Put(value),
        };
        let shown = format!("{change:?} {:?} {mutation:?}", change.record());
        assert!(
            !shown.contains("hunter2") && shown.contains("<7 bytes>"),
            "{shown}"
        );
    }

    #[test]
    fn keys_order_bytewise_part_by_part() {
        let mut keys = [
            Key::new("b/x", "", "a"),
            Key::new("/x", "b", "a"),
            Key::new("/x", "a", "b"),
            Key::new("/x", "a-b", "a"),
            Key::new("/x", "a", "B"),
        ];
        keys.sort();
        let shown: Vec<_> = keys.iter().map(Key::to_string).collect();
        assert_eq!(shown, ["/x a/B", "/x a/b", "/x a-b/a", "/x b/a", "b/x a"]);
    }
}
