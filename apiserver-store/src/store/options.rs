//! What can be set about a store.

use std::time::Duration;

use crate::Seals;

/// How a store batches, buffers and forgets. The defaults suit a server.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// At most so many mutations share one transaction. More raises throughput under load and the latency of
    /// each; 64 reaches most of what one disk flush can carry.
    pub max_batch: usize,
    /// A batch is closed once its values sum up to so many bytes, so that huge objects do not hold up the rest.
    pub max_batch_bytes: usize,
    /// So many mutations may wait; then [`Store::commit`](crate::Store::commit) waits to get into the queue.
    pub queue: usize,
    /// So many recent changes are kept in memory for change streams; slower streams read the log.
    pub live_changes: usize,
    /// The recent changes in memory together weigh at most so many bytes, or are the newest batch alone.
    pub live_bytes: usize,
    /// How long callers wait while the outcome of their transaction is being found out, before they are told
    /// that it is unknown. The finding out goes on after that.
    pub settle_patience: Duration,
    /// When log entries are forgotten by themselves; `None`: only by [`Store::compact`](crate::Store::compact).
    pub retention: Option<Retention>,
    /// How values are sealed before they reach the backend.
    pub seals: Seals,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_batch: 64,
            max_batch_bytes: 8 << 20,
            queue: 1024,
            live_changes: 2048,
            live_bytes: 4 << 20,
            settle_patience: Duration::from_secs(5),
            retention: Some(Retention::default()),
            seals: Seals::default(),
        }
    }
}

/// What of the log is kept: everything younger than `age`, at least the newest `changes`, but never more than
/// `bytes`.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Entries younger than this stay. What was written before the store was opened counts as written then.
    pub age: Duration,
    /// So many of the newest entries stay however old they are.
    pub changes: u64,
    /// Once the log's values weigh more than this, the oldest entries go however young they are.
    pub bytes: u64,
}

impl Default for Retention {
    /// Five minutes as etcd's default in Kubernetes, a thousand changes as kine, a gibibyte at most.
    fn default() -> Self {
        Self {
            age: Duration::from_secs(300),
            changes: 1000,
            bytes: 1 << 30,
        }
    }
}
