//! The table itself, replaced as a whole whenever a row changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::kind::Kind;

/// All rows at one moment, immutable. Ordered by group, then plural.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    rows: BTreeMap<(Arc<str>, Arc<str>), Arc<Kind>>,
}

impl Kinds {
    /// A table of the given rows; of two for one resource the later wins.
    pub fn new(rows: impl IntoIterator<Item = Arc<Kind>>) -> Self {
        Self {
            rows: rows
                .into_iter()
                .map(|row| ((row.group.clone(), row.plural.clone()), row))
                .collect(),
        }
    }

    /// The row of a resource, whichever versions it serves.
    pub fn resource(&self, group: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.rows.get(&(Arc::from(group), Arc::from(plural)))
    }

    /// The row of a kind name in a group.
    pub fn by_kind(&self, group: &str, kind: &str) -> Option<&Arc<Kind>> {
        self.iter()
            .find(|row| &*row.group == group && &*row.kind == kind)
    }

    /// The row behind a store resource name (`<group>/<plural>`).
    pub fn by_store_resource(&self, resource: &str) -> Option<&Arc<Kind>> {
        let (group, plural) = resource.split_once('/')?;
        self.resource(group, plural)
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.rows.values()
    }
}

/// The current table. Readers take a snapshot; the one writer (start-up, then the CRD controller) replaces it.
#[derive(Debug)]
pub struct Registry {
    current: ArcSwap<Kinds>,
    changed: watch::Sender<u64>,
}

impl Registry {
    /// A registry that starts with the given table.
    pub fn new(kinds: Kinds) -> Self {
        Self {
            current: ArcSwap::from_pointee(kinds),
            changed: watch::Sender::new(0),
        }
    }

    /// The table now.
    pub fn kinds(&self) -> Arc<Kinds> {
        self.current.load_full()
    }

    /// Replaces the table and wakes those that wait in [`Registry::changes`].
    pub fn replace(&self, kinds: Kinds) {
        self.current.store(Arc::new(kinds));
        self.changed.send_modify(|n| *n += 1);
    }

    /// A receiver that is told of every replacement.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
