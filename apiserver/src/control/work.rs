//! The loop of a controller that settles one thing at a time: events name what to look at, a queue with backoff keeps
//! what failed, a slow full pass finds what was missed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cache::{Cache, Event};
use crate::status::ApiError;

/// Everything is looked at again this often, should something have been missed.
const FULL_PASS: Duration = Duration::from_secs(600);
/// So many keys are settled at the same time: enough for the store to group their writes.
const TOGETHER: usize = 64;
/// The pause after a first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a controller does.
#[async_trait]
pub(super) trait Worker: Send + Sync {
    /// Names what can be settled on its own.
    type Key: Clone + Ord + std::fmt::Debug + Send + Sync;

    /// The keys that an event may concern.
    fn touched(&self, event: &Event) -> Vec<Self::Key>;

    /// All keys.
    fn all(&self) -> Vec<Self::Key>;

    /// Brings what the key names nearer to how it should be, from what the cache says now.
    ///
    /// # Errors
    /// What could not be done now; it is tried again later.
    async fn settle(&self, key: &Self::Key) -> Result<(), ApiError>;
}

/// Runs a worker until `stop`, or until the cache ends.
pub(super) async fn run<W: Worker>(worker: W, cache: Cache, stop: CancellationToken) {
    let mut events = cache.subscribe();
    let mut full_pass = tokio::time::interval(FULL_PASS);
    let mut queue = Queue::default();
    loop {
        loop {
            match events.try_recv() {
                Ok(batch) => queue.extend(batch.iter().flat_map(|event| worker.touched(event))),
                Err(TryRecvError::Lagged(_)) => queue.extend(worker.all()),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => return,
            }
        }
        let due = queue.take(Instant::now());
        if !due.is_empty() {
            let results = join_all(due.iter().map(|key| worker.settle(key)));
            let results = tokio::select! {
                () = stop.cancelled() => return,
                results = results => results,
            };
            for (key, result) in due.into_iter().zip(results) {
                queue.settled(key, result.err().as_ref(), Instant::now());
            }
            continue;
        }
        let next = queue.next_due();
        let pause = async move {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause => {}
            _ = full_pass.tick() => queue.extend(worker.all()),
            batch = events.recv() => match batch {
                Ok(batch) => queue.extend(batch.iter().flat_map(|event| worker.touched(event))),
                Err(RecvError::Lagged(_)) => queue.extend(worker.all()),
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// What is to be settled, each key once, and when.
#[derive(Debug)]
struct Queue<K> {
    ready: BTreeSet<K>,
    later: BTreeMap<K, Instant>,
    failures: BTreeMap<K, u32>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            ready: BTreeSet::new(),
            later: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Ord + std::fmt::Debug> Queue<K> {
    /// Adds keys to look at; one that waits after a failure keeps waiting.
    fn extend(&mut self, keys: impl IntoIterator<Item = K>) {
        for key in keys {
            if !self.later.contains_key(&key) {
                self.ready.insert(key);
            }
        }
    }

    /// Some keys whose time has come.
    fn take(&mut self, now: Instant) -> Vec<K> {
        let over: Vec<K> = self
            .later
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.later.remove(&key);
            self.ready.insert(key);
        }
        let mut due = Vec::new();
        while due.len() < TOGETHER
            && let Some(key) = self.ready.pop_first()
        {
            due.push(key);
        }
        due
    }

    fn next_due(&self) -> Option<Instant> {
        self.later.values().min().copied()
    }

    fn settled(&mut self, key: K, error: Option<&ApiError>, now: Instant) {
        let Some(error) = error else {
            self.failures.remove(&key);
            return;
        };
        let failures = self.failures.entry(key.clone()).or_insert(0);
        *failures += 1;
        tracing::debug!(%error, ?key, failures, "has to be tried again");
        let pause = FIRST_PAUSE * 2_u32.saturating_pow((*failures - 1).min(16));
        self.later.insert(key, now + pause.min(LONGEST_PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time_and_success_forgets_them() {
        let mut queue = Queue::default();
        queue.extend(["b", "a", "a"]);
        let now = Instant::now();
        assert_eq!(queue.take(now), ["a", "b"]);
        let error = ApiError::internal("x");
        queue.settled("a", Some(&error), now);
        queue.settled("b", None, now);
        queue.extend(["a"]);
        assert!(queue.take(now).is_empty());
        assert_eq!(queue.next_due(), Some(now + FIRST_PAUSE));
        assert_eq!(queue.take(now + FIRST_PAUSE), ["a"]);
        queue.settled("a", Some(&error), now);
        assert_eq!(queue.next_due(), Some(now + FIRST_PAUSE * 2));
        for _ in 0..60 {
            queue.take(now + LONGEST_PAUSE);
            queue.settled("a", Some(&error), now);
        }
        assert_eq!(queue.next_due(), Some(now + LONGEST_PAUSE));
        queue.take(now + LONGEST_PAUSE);
        queue.settled("a", None, now);
        assert!(queue.failures.is_empty() && queue.later.is_empty());
    }
}
