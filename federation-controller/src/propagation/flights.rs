//! Operations under way.
//!
//! A reconcile starts its operations in all members at once and waits for them only so long: a slow member must hold up
//! neither the object's status nor the next edit. What has not ended by then goes on by itself. The next reconcile of
//! the object sees that it is still under way (and starts no second one in that member), or takes its outcome.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::operation::{Operation, Outcome, Site};
use crate::hub::ObjectKey;
use crate::work::OwnedTask;

/// An operation that was started, with what it was meant to bring about.
struct Flight<M> {
    /// What the planner wants to know again when it has ended.
    meaning: M,
    outcome: watch::Receiver<Option<Outcome>>,
    /// Set when nobody waits any more: then its end must wake the object.
    left_alone: Arc<AtomicBool>,
    _task: OwnedTask,
}

impl<M> Flight<M> {
    fn landed(&self) -> Option<Outcome> {
        self.outcome.borrow().clone()
    }
}

/// How an operation stands when a reconcile looks.
pub(super) enum Standing<M> {
    /// It has ended.
    Landed { meaning: M, outcome: Outcome },
    /// It is under way.
    Flying,
}

type Key = (ObjectKey, String);

/// All operations of one type.
pub(super) struct Flights<M> {
    flying: Mutex<HashMap<Key, Flight<M>>>,
}

impl<M> Default for Flights<M> {
    fn default() -> Self {
        Self {
            flying: Mutex::new(HashMap::new()),
        }
    }
}

impl<M: Clone> Flights<M> {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Flight<M>>> {
        self.flying.lock().expect("no holder of this lock panics")
    }

    /// Starts an operation for `object` in the cluster `cluster`. `wake` is called if it ends after it was left alone.
    pub(super) fn start(
        &self,
        object: &ObjectKey,
        cluster: &str,
        site: Site,
        operation: Operation,
        meaning: M,
        wake: impl FnOnce() + Send + 'static,
    ) {
        let (sender, outcome) = watch::channel(None);
        let left_alone = Arc::new(AtomicBool::new(false));
        let task = {
            let left_alone = Arc::clone(&left_alone);
            OwnedTask::spawn(async move {
                let outcome = site.perform(&operation).await;
                sender.send_replace(Some(outcome));
                if left_alone.load(Ordering::SeqCst) {
                    wake();
                }
            })
        };
        let flight = Flight {
            meaning,
            outcome,
            left_alone,
            _task: task,
        };
        self.lock()
            .insert((object.clone(), cluster.to_owned()), flight);
    }

    /// True if an operation for the object is under way in the cluster.
    pub(super) fn is_flying(&self, object: &ObjectKey, cluster: &str) -> bool {
        self.lock()
            .get(&(object.clone(), cluster.to_owned()))
            .is_some_and(|flight| flight.landed().is_none())
    }

    /// Waits until all operations of the object in these clusters have ended, but not longer than `patience`; then tells
    /// how each stands and forgets those that have ended.
    pub(super) async fn collect(
        &self,
        object: &ObjectKey,
        clusters: &[String],
        patience: Duration,
    ) -> Vec<(String, Standing<M>)> {
        let deadline = Instant::now() + patience;
        let mut waiting: Vec<watch::Receiver<Option<Outcome>>> = {
            let flying = self.lock();
            clusters
                .iter()
                .filter_map(|cluster| flying.get(&(object.clone(), cluster.clone())))
                .map(|flight| flight.outcome.clone())
                .collect()
        };
        for outcome in &mut waiting {
            // An aborted task drops its sender; then there is nothing to wait for.
            let _ = tokio::time::timeout_at(deadline, outcome.wait_for(Option::is_some)).await;
        }
        clusters
            .iter()
            .filter_map(|cluster| Some((cluster.clone(), self.look(object, cluster)?)))
            .collect()
    }

    fn look(&self, object: &ObjectKey, cluster: &str) -> Option<Standing<M>> {
        let key = (object.clone(), cluster.to_owned());
        let mut flying = self.lock();
        let flight = flying.get(&key)?;
        // Announce first, look then: an end between the two is seen here, a later one wakes the object.
        flight.left_alone.store(true, Ordering::SeqCst);
        let Some(outcome) = flight.landed() else {
            return Some(Standing::Flying);
        };
        let flight = flying.remove(&key)?;
        Some(Standing::Landed {
            meaning: flight.meaning.clone(),
            outcome,
        })
    }

    /// Clusters in which operations for the object were started and not yet collected.
    pub(super) fn clusters(&self, object: &ObjectKey) -> Vec<String> {
        let mut clusters: Vec<String> = self
            .lock()
            .keys()
            .filter(|(key, _)| key == object)
            .map(|(_, cluster)| cluster.clone())
            .collect();
        clusters.sort();
        clusters
    }
}
