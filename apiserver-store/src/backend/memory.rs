//! A backend without a disk, for tests and for stores that need not outlive the process.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures::{TryStreamExt, stream};

use super::{
    At, Backend, BackendError, Batch, Head, JUMP, ListQuery, PageLimit, Records, Snapshot,
    TransactError,
};
use crate::{Change, Key, Page, Record, Revision};

/// Keeps everything in memory. Clones share their data, so a store can be reopened on a clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    revision: Revision,
    compacted: Revision,
    /// How often the numbers jumped.
    jumps: u64,
    objects: BTreeMap<Key, Record>,
    log: BTreeMap<Revision, Change>,
}

impl MemoryBackend {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics between two related changes of the state, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn head(&self) -> Head {
        Head {
            revision: self.revision,
            compacted: self.compacted,
            epoch: 1 + self.jumps,
        }
    }

    fn apply(&mut self, change: &Change) {
        match change.record() {
            Some(record) => self.objects.insert(change.key.clone(), record),
            None => self.objects.remove(&change.key),
        };
        self.log.insert(change.revision, change.clone());
        self.revision = change.revision;
    }

    /// The whole state at an old revision: today's, with the log undone from its end.
    fn rewound(&self, at: Revision) -> BTreeMap<Key, Record> {
        let mut objects = self.objects.clone();
        for change in self
            .log
            .range((Bound::Excluded(at), Bound::Unbounded))
            .rev()
        {
            match &change.1.previous {
                Some(previous) => {
                    let record = Record {
                        key: change.1.key.clone(),
                        revision: previous.revision,
                        create_revision: change.1.create_revision,
                        value: previous.value.clone(),
                    };
                    objects.insert(record.key.clone(), record)
                }
                None => objects.remove(&change.1.key),
            };
        }
        objects
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn head(&self) -> Result<Head, BackendError> {
        Ok(self.state().head())
    }

    async fn transact(&self, batch: &mut Batch) -> Result<(), TransactError> {
        let mut state = self.state();
        let current: Vec<_> = batch
            .keys()
            .into_iter()
            .filter_map(|key| state.objects.get(key).cloned())
            .collect();
        for change in batch.plan(state.revision, current).iter() {
            state.apply(change);
        }
        Ok(())
    }

    async fn recover(&self) -> Result<Head, BackendError> {
        self.head().await
    }

    async fn jump(&self, told: Revision) -> Result<Head, BackendError> {
        let mut state = self.state();
        if state.revision < told {
            state.revision = Revision::new(told.get() + JUMP);
            state.compacted = state.revision;
            state.jumps += 1;
        }
        Ok(state.head())
    }

    async fn fill(&self, head: Head, records: Records) -> Result<bool, BackendError> {
        if self.state().revision != Revision::ZERO {
            return Ok(false);
        }
        let records: Vec<Record> = records.try_collect().await?;
        let mut state = self.state();
        if state.revision != Revision::ZERO {
            return Ok(false);
        }
        let keyed = records
            .into_iter()
            .map(|record| (record.key.clone(), record));
        state.objects = keyed.collect();
        (state.revision, state.compacted) = (head.revision, head.compacted);
        state.jumps = head.epoch.saturating_sub(1);
        Ok(true)
    }

    async fn load(&self) -> Result<Snapshot, BackendError> {
        let state = self.state();
        let records: Vec<_> = state.objects.values().cloned().map(Ok).collect();
        Ok(Snapshot::new(state.revision, stream::iter(records)))
    }

    async fn log(
        &self,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<At<Arc<[Change]>>, BackendError> {
        let state = self.state();
        let mut changes = Vec::new();
        let mut bytes = 0;
        if after < through {
            let range = (Bound::Excluded(after), Bound::Included(through));
            for change in state
                .log
                .range(range)
                .map(|(_, change)| change)
                .take(limit.entries)
            {
                bytes += change.weight();
                changes.push(change.clone());
                if bytes >= limit.bytes {
                    break;
                }
            }
        }
        Ok(At {
            head: state.head(),
            value: changes.into(),
        })
    }

    async fn list_at(&self, query: ListQuery<'_>) -> Result<At<Page>, BackendError> {
        let state = self.state();
        let mut matching = state.rewound(query.at).into_values().filter(|record| {
            let key = &record.key;
            *key.resource == *query.resource
                && query
                    .namespace
                    .is_none_or(|namespace| *key.namespace == *namespace)
                && query
                    .after
                    .is_none_or(|after| (&*key.namespace, &*key.name) > after)
        });
        let records = matching.by_ref().take(query.limit).collect();
        let page = Page {
            records,
            more: matching.next().is_some(),
        };
        Ok(At {
            head: state.head(),
            value: page,
        })
    }

    async fn log_bytes(&self) -> Result<u64, BackendError> {
        let bytes: usize = self.state().log.values().map(Change::weight).sum();
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    async fn mark_compacted(&self, through: Revision) -> Result<(), BackendError> {
        let mut state = self.state();
        state.compacted = state.compacted.max(through);
        Ok(())
    }

    async fn trim(&self, limit: u64) -> Result<u64, BackendError> {
        let mut state = self.state();
        let compacted = state.compacted;
        let mut deleted = 0;
        while deleted < limit
            && state
                .log
                .first_key_value()
                .is_some_and(|(revision, _)| *revision <= compacted)
        {
            state.log.pop_first();
            deleted += 1;
        }
        Ok(deleted)
    }

    async fn upkeep(&self, _idle: bool) -> Result<(), BackendError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), BackendError> {
        Ok(())
    }
}
