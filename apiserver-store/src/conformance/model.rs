//! What a store should be: every state there ever was, in memory.

use std::collections::BTreeMap;

use super::{conflict, delete, history, put};
use crate::{Change, ChangeKind, Expect, Key, Page, Record, Revision, Store};

/// A history, and the state after each of its changes.
#[derive(Debug)]
pub struct Model {
    states: Vec<BTreeMap<Key, Record>>,
}

impl Model {
    /// Replays a history from revision 1 on, and checks that each entry fits what was there.
    pub fn of(changes: &[Change]) -> Self {
        let mut model = Self {
            states: vec![BTreeMap::new()],
        };
        for change in changes {
            model.push(change);
        }
        model
    }

    fn push(&mut self, change: &Change) {
        let mut state = self.state(self.revision()).clone();
        let before = state.get(&change.key);
        assert_eq!(change.revision, self.revision().next());
        let previous = change.previous.as_ref().map(|p| (p.revision, &p.value));
        assert_eq!(
            previous,
            before.map(|r| (r.revision, &r.value)),
            "{change:?}"
        );
        assert_eq!(
            before.is_none(),
            change.kind == ChangeKind::Created,
            "{change:?}"
        );
        let create_revision = before.map_or(change.revision, |record| record.create_revision);
        assert_eq!(change.create_revision, create_revision, "{change:?}");
        match change.record() {
            Some(record) => state.insert(change.key.clone(), record),
            None => state.remove(&change.key),
        };
        self.states.push(state);
    }

    /// The last revision.
    pub fn revision(&self) -> Revision {
        Revision::new(self.states.len() as u64 - 1)
    }

    /// All records at a revision.
    pub fn state(&self, at: Revision) -> &BTreeMap<Key, Record> {
        let index = usize::try_from(at.get()).expect("models are small");
        &self.states[index]
    }

    /// What [`Store::list_at`] should say.
    pub fn list(
        &self,
        resource: &str,
        namespace: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
        at: Revision,
    ) -> Page {
        let mut matching = self.state(at).values().filter(|record| {
            let Key {
                resource: r,
                namespace: n,
                name,
            } = &record.key;
            **r == *resource
                && namespace.is_none_or(|namespace| **n == *namespace)
                && after.is_none_or(|after| (&**n, &**name) > after)
        });
        let records = matching.by_ref().take(limit).cloned().collect();
        Page {
            records,
            more: matching.next().is_some(),
        }
    }
}

/// One step of a made-up history, on one of [`KEYS`](Op::KEYS) keys.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Create or update, as fits.
    Put(usize),
    /// Delete, if it is there.
    Delete(usize),
    /// Try with a wrong expectation.
    Fail(usize),
    /// Forget everything up to that many revisions ago.
    Compact(u64),
}

impl Op {
    /// How many keys there are.
    pub const KEYS: usize = 12;

    /// Keys of two resources in two namespaces, and of a cluster-scoped one.
    pub fn key(index: usize) -> Key {
        let name = ["a", "a-b", "b"][index % 3];
        match (index / 3) % 4 {
            0 => Key::new("/configmaps", "default", name),
            1 => Key::new("/configmaps", "default-2", name),
            2 => Key::new("/configmapsx", "default", name),
            _ => Key::new("/nodes", "", name),
        }
    }
}

/// Carries out `ops` on an empty store, and compares everything that can be asked with the model: each answer,
/// the history, and lists of every revision that is not compacted.
pub async fn check_history(store: &Store, ops: &[Op]) {
    let mut current: BTreeMap<Key, Record> = BTreeMap::new();
    let mut changes: Vec<Change> = Vec::new();
    let mut told = store
        .changes(Revision::ZERO)
        .await
        .expect("an empty store has no past");
    for (turn, op) in ops.iter().enumerate() {
        let before = store.committed();
        let value = format!("value {turn}");
        match *op {
            Op::Put(index) => {
                let key = Op::key(index);
                let there = current.get(&key);
                let expect = there.map_or(Expect::Absent, |r| Expect::Revision(r.revision));
                let revision = store
                    .commit(put(&key, expect, value))
                    .await
                    .expect("as expected");
                assert_eq!(revision, before.next());
            }
            Op::Delete(index) => {
                let key = Op::key(index);
                let Some(there) = current.get(&key) else {
                    continue;
                };
                let gone = store.commit(delete(&key, there.revision, value)).await;
                assert_eq!(gone.expect("as expected"), before.next());
            }
            Op::Fail(index) => {
                let key = Op::key(index);
                let there = current.get(&key);
                let wrong = there.map_or(Expect::Revision(before), |_| Expect::Absent);
                let found = conflict(store.commit(put(&key, wrong, value)).await);
                assert_eq!(found.as_ref(), there);
                assert_eq!(store.committed(), before);
                continue;
            }
            Op::Compact(ago) => {
                let through = Revision::new(before.get().saturating_sub(ago));
                store.compact(through).await.expect("compacts");
                assert_eq!(store.compacted(), store.compacted().max(through));
                continue;
            }
        }
        let news = super::read_through(&mut told, before, before.next()).await;
        for change in &news {
            match change.record() {
                Some(record) => current.insert(change.key.clone(), record),
                None => current.remove(&change.key),
            };
        }
        changes.extend(news);
    }
    let model = Model::of(&changes);
    if store.compacted() == Revision::ZERO {
        assert_eq!(history(store).await, changes);
    }
    compare_lists(store, &model).await;
    compare_load(store, &model).await;
}

/// Compares a fresh snapshot with the model's last state.
pub(super) async fn compare_load(store: &Store, model: &Model) {
    let snapshot = store.load().await.expect("loads");
    assert_eq!(snapshot.revision, model.revision());
    let records = snapshot.collect().await.expect("loads");
    let expected: Vec<_> = model.state(model.revision()).values().cloned().collect();
    assert_eq!(records, expected);
}

/// Walks through lists of every revision that can still be named; the page size changes from one to the next.
pub(super) async fn compare_lists(store: &Store, model: &Model) {
    let resources = ["/configmaps", "/configmapsx", "/nodes"];
    let namespaces = [None, Some("default"), Some("default-2"), Some("")];
    let limits = [1, 2, usize::MAX];
    for at in store.compacted().get()..=model.revision().get() {
        let turn = usize::try_from(at).expect("models are small");
        let at = Revision::new(at);
        for (place, resource) in resources.into_iter().enumerate() {
            let namespace = namespaces[(turn / 3 + place) % namespaces.len()];
            let limit = limits[(turn + place) % limits.len()];
            let mut after: Option<(String, String)> = None;
            loop {
                let start = after
                    .as_ref()
                    .map(|(namespace, name)| (&**namespace, &**name));
                let page = store.list_at(resource, namespace, start, limit, at).await;
                let page = page.expect("not compacted");
                assert_eq!(
                    page,
                    model.list(resource, namespace, start, limit, at),
                    "at {at}"
                );
                if !page.more {
                    break;
                }
                let last = page.records.last().expect("a page with more is not empty");
                after = Some((last.key.namespace.to_string(), last.key.name.to_string()));
            }
        }
    }
}
