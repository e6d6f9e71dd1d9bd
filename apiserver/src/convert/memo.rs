//! Forms of an object that were computed once and are kept with it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Served versions of a kind are few; what is asked for beyond them is computed anew.
const LIMIT: usize = 4;

/// The bytes of an object at the versions that were asked for. Bounded; forgets what belongs to an older row of the kind.
#[derive(Default)]
pub(crate) struct Memo(Mutex<Vec<Entry>>);

struct Entry {
    epoch: u64,
    version: Arc<str>,
    bytes: Bytes,
}

impl Memo {
    pub(super) fn get(&self, epoch: u64, version: &str) -> Option<Bytes> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries
            .iter()
            .find(|entry| entry.epoch == epoch && &*entry.version == version);
        found.map(|entry| entry.bytes.clone())
    }

    pub(super) fn put(&self, epoch: u64, version: &Arc<str>, bytes: Bytes) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.epoch == epoch && entry.version != *version);
        if entries.len() < LIMIT {
            entries.push(Entry {
                epoch,
                version: version.clone(),
                bytes,
            });
        }
    }
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memo")
    }
}
