//! A handle on one physical member.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use kube::Client;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

use super::health::Verdict;

/// What is known of a member, as the thresholds see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// Not probed yet since this process leads.
    Unknown,
    /// It answers.
    Ready {
        /// Counts the times it became ready or got other access data: whoever sees another number must list again.
        epoch: u64,
        /// Since when.
        since: Instant,
        /// True if it was found not ready before, by this process: an outage ended.
        recovered: bool,
    },
    /// It does not answer, or cannot be asked.
    NotReady {
        /// Since when.
        since: Instant,
        /// Why, in a sentence.
        message: String,
        /// True if it was ready before, as seen by this process.
        was_ready: bool,
    },
}

impl MemberState {
    /// True for [`MemberState::Ready`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }
}

/// One physical member. Handed out by [`super::Members`]; stays valid (and not ready) after the cluster is gone.
pub struct Member {
    name: String,
    client: RwLock<Option<Client>>,
    state: watch::Sender<MemberState>,
    slots: Semaphore,
    waiting: Semaphore,
    doubt: Notify,
}

/// The queue of a member is full: it is slower than the work that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue of the member is full")]
pub struct QueueFull;

/// The right to have one operation under way in a member.
pub struct Slot<'a> {
    _slot: SemaphorePermit<'a>,
}

impl Member {
    pub(super) fn new(name: &str, concurrency: usize, queue: usize) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            client: RwLock::new(None),
            state: watch::Sender::new(MemberState::Unknown),
            slots: Semaphore::new(concurrency.max(1)),
            waiting: Semaphore::new(queue.max(1)),
            doubt: Notify::new(),
        })
    }

    /// Name of the physical cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client of the present connection, if one could be made. Do not keep it: ask again for each piece of work.
    #[must_use]
    pub fn member_client(&self) -> Option<Client> {
        self.client
            .read()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// What is known of the member now.
    #[must_use]
    pub fn state(&self) -> MemberState {
        self.state.borrow().clone()
    }

    /// True if the member answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// Hears every change of the state.
    #[must_use]
    pub fn watch_state(&self) -> watch::Receiver<MemberState> {
        self.state.subscribe()
    }

    /// Waits for the member to be ready and returns its epoch with the client.
    pub async fn ready(&self) -> (u64, Client) {
        let mut state = self.state.subscribe();
        loop {
            if let MemberState::Ready { epoch, .. } = *state.borrow_and_update()
                && let Some(client) = self.member_client()
            {
                return (epoch, client);
            }
            if state.changed().await.is_err() {
                // Cannot happen: the sender lives in self.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the epoch is over.
    pub async fn epoch_over(&self, mine: u64) {
        let mut state = self.state.subscribe();
        let _ = state
            .wait_for(|state| !matches!(state, MemberState::Ready { epoch, .. } if *epoch == mine))
            .await;
    }

    /// Waits for the right to start an operation. Operations beyond the member's concurrency wait in its own queue,
    /// which is bounded.
    ///
    /// # Errors
    /// [`QueueFull`] at once if the queue is full.
    pub async fn slot(&self) -> Result<Slot<'_>, QueueFull> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Ok(Slot { _slot: slot });
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| QueueFull)?;
        let slot = self
            .slots
            .acquire()
            .await
            .expect("the semaphore is never closed");
        Ok(Slot { _slot: slot })
    }

    /// Tells the health loop that a request got no answer, which brings the next probe forward.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    pub(super) async fn doubted(&self) {
        self.doubt.notified().await;
    }

    pub(super) fn connect(&self, client: Option<Client>) {
        *self.client.write().expect("no holder of this lock panics") = client;
    }

    /// Takes over a verdict. Returns the new state if it differs in kind from the old one.
    pub(super) fn judge(&self, verdict: &Verdict, reconnected: bool) -> Option<MemberState> {
        let mut told = None;
        self.state.send_if_modified(|state| {
            let next = match (&*state, verdict) {
                (MemberState::Ready { .. }, Verdict::Ready { .. }) if reconnected => {
                    MemberState::Ready {
                        epoch: next_epoch(),
                        since: Instant::now(),
                        recovered: true,
                    }
                }
                (MemberState::Ready { .. }, Verdict::Ready { .. }) => return false,
                (before, Verdict::Ready { .. }) => MemberState::Ready {
                    epoch: next_epoch(),
                    since: Instant::now(),
                    recovered: matches!(before, MemberState::NotReady { .. }),
                },
                (
                    MemberState::NotReady {
                        since,
                        was_ready,
                        message,
                    },
                    verdict,
                ) => {
                    let new = verdict.message();
                    if *message == new {
                        return false;
                    }
                    *state = MemberState::NotReady {
                        since: *since,
                        message: new,
                        was_ready: *was_ready,
                    };
                    return false;
                }
                (before, verdict) => MemberState::NotReady {
                    since: Instant::now(),
                    message: verdict.message(),
                    was_ready: before.is_ready(),
                },
            };
            told = Some(next.clone());
            *state = next;
            true
        });
        told
    }

    /// The cluster was unregistered.
    pub(super) fn retire(&self) {
        self.connect(None);
        self.state.send_replace(MemberState::NotReady {
            since: Instant::now(),
            message: "the cluster is not registered any more".to_owned(),
            was_ready: false,
        });
    }
}

/// Epochs are unique in the process, so a cluster that is unregistered and registered again never repeats one.
fn next_epoch() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// How long after a doubt the next probe may come: doubts arrive by the hundred when a member dies.
pub(super) const DOUBT_PROBE_GAP: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_queue_of_a_member_is_bounded() {
        let member = Member::new("a", 1, 1);
        let first = member.slot().await.unwrap();
        let second = member.slot();
        tokio::pin!(second);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), &mut second)
                .await
                .is_err()
        );
        assert_eq!(member.slot().await.err(), Some(QueueFull));
        drop(first);
        assert!(second.await.is_ok());
    }

    #[test]
    fn states_tell_recovery_from_a_first_contact() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let member = Member::new("a", 1, 1);
            let up = Verdict::Ready { version: None };
            let down = Verdict::NotReady;
            assert!(matches!(
                member.judge(&up, false),
                Some(MemberState::Ready {
                    recovered: false,
                    ..
                })
            ));
            assert_eq!(member.judge(&up, false), None);
            assert!(matches!(
                member.judge(&down, false),
                Some(MemberState::NotReady {
                    was_ready: true,
                    ..
                })
            ));
            assert!(matches!(
                member.judge(&up, false),
                Some(MemberState::Ready {
                    recovered: true,
                    ..
                })
            ));
            assert!(matches!(
                member.judge(&up, true),
                Some(MemberState::Ready { .. })
            ));
        });
    }
}
