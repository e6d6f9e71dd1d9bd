//! Runs a queue: takes keys, handles several at once, and files what the handler says comes next.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Priority, Queue};

/// The only thing a reconcile returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// All done; wait for an event.
    Wait,
    /// All done so far; look again after this time.
    After(Duration),
    /// Something failed that a retry may heal: look again after the queue's backoff.
    Retry,
}

/// Ends the run of a key even if its handler panicked.
struct Running<K: Clone + Eq + Hash + Ord> {
    queue: Queue<K>,
    key: K,
}

impl<K: Clone + Eq + Hash + Ord> Drop for Running<K> {
    fn drop(&mut self) {
        self.queue.done(&self.key);
    }
}

/// Handles the keys of `queue`, at most `concurrency` at a time, until the future is dropped; then all running handlers
/// are dropped with it. A handler that panics is logged and its key retried.
pub async fn drive<K, H, F>(queue: Queue<K>, concurrency: usize, handle: H)
where
    K: Clone + Eq + Hash + Ord + Send + std::fmt::Debug + 'static,
    H: Fn(K) -> F,
    F: Future<Output = Next> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(concurrency.max(1)));
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("the semaphore is never closed"),
            Some(ended) = tasks.join_next() => {
                log_panic(ended);
                continue;
            }
        };
        let key = loop {
            tokio::select! {
                key = queue.next() => break key,
                Some(ended) = tasks.join_next() => log_panic(ended),
            }
        };
        let work = handle(key.clone());
        let queue = queue.clone();
        tasks.spawn(async move {
            let _permit = permit;
            let running = Running { queue, key };
            let mut fall = RetryOnPanic(Some((running.queue.clone(), running.key.clone())));
            let next = work.await;
            fall.0 = None;
            file(&running.queue, &running.key, next);
        });
    }
}

/// Retries the key unless disarmed: a handler that unwinds must not lose its key.
struct RetryOnPanic<K: Clone + Eq + Hash + Ord>(Option<(Queue<K>, K)>);

impl<K: Clone + Eq + Hash + Ord> Drop for RetryOnPanic<K> {
    fn drop(&mut self) {
        if let Some((queue, key)) = self.0.take() {
            queue.retry(key);
        }
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a reconcile panicked; its key will be retried");
    }
}

fn file<K: Clone + Eq + Hash + Ord>(queue: &Queue<K>, key: &K, next: Next) {
    match next {
        Next::Wait => queue.forget(key),
        Next::After(delay) => {
            queue.forget(key);
            queue.add_after(key.clone(), delay, Priority::Backlog);
        }
        Next::Retry => queue.retry(key.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::work::{Backoff, Env};

    #[tokio::test(start_paused = true)]
    async fn keys_run_side_by_side_up_to_the_limit() {
        let queue = Queue::new(Backoff::OBJECT, Env::default());
        for key in 0..10_u32 {
            queue.add(key, Priority::Edit);
        }
        let (now, most, all) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let counters = (now.clone(), most.clone(), all.clone());
        let driven = drive(queue, 3, move |_| {
            let (now, most, all) = counters.clone();
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                all.fetch_add(1, Ordering::SeqCst);
                Next::Wait
            }
        });
        assert!(
            tokio::time::timeout(Duration::from_secs(30), driven)
                .await
                .is_err()
        );
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!(all.load(Ordering::SeqCst), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_costs_one_run_not_the_key() {
        let queue = Queue::new(Backoff::OBJECT, Env::default());
        queue.add(1_u32, Priority::Edit);
        let runs = Arc::new(AtomicUsize::new(0));
        let seen = runs.clone();
        let driven = drive(queue, 1, move |_| {
            let runs = seen.clone();
            async move {
                assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "first run fails");
                Next::Wait
            }
        });
        assert!(
            tokio::time::timeout(Duration::from_secs(30), driven)
                .await
                .is_err()
        );
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }
}
