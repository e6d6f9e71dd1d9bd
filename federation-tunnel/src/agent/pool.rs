//! Which connections an agent keeps, and when it makes them: pure, time and chance are passed in.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::BackoffTiming;
use crate::wire::Class;

/// Names a connection, for the life of the agent.
pub(crate) type ConnectionId = u64;

/// Where a connection belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which hub, by its place in the configuration.
    pub(crate) hub: usize,
    pub(crate) class: Class,
}

/// The slot's next connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// The current one is good.
    None,
    /// To be made at this time.
    At(Instant),
    /// Being made.
    Running,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    id: ConnectionId,
    since: Instant,
}

#[derive(Debug)]
struct Slot {
    place: Place,
    current: Option<Current>,
    attempt: Attempt,
    failures: u32,
    /// The identity changed while an attempt was running with the old one.
    stale: bool,
}

/// What to do after something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// Nothing.
    Nothing,
    /// This connection has a successor: let its streams end, take no new ones.
    Drain(ConnectionId),
}

/// The slots of an agent: one per connection that it wants. A slot whose connection is to be replaced makes the new one first.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Vec<Slot>,
    timing: BackoffTiming,
}

impl Pool {
    /// Slots for `connections` connections to each of `hubs` hubs; all are due at once.
    pub(crate) fn new(
        hubs: usize,
        connections: usize,
        timing: BackoffTiming,
        now: Instant,
    ) -> Self {
        let slots = (0..hubs)
            .flat_map(|hub| {
                (0..connections).map(move |index| Slot {
                    place: Place {
                        hub,
                        class: Class::of_connection(index, connections),
                    },
                    current: None,
                    attempt: Attempt::At(now),
                    failures: 0,
                    stale: false,
                })
            })
            .collect();
        Self { slots, timing }
    }

    /// The slots whose time has come. Each is to be connected now, and then reported by [`Pool::connected`] or [`Pool::failed`].
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(usize, Place)> {
        let mut due = Vec::new();
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if matches!(slot.attempt, Attempt::At(at) if at <= now) {
                slot.attempt = Attempt::Running;
                slot.stale = false;
                due.push((number, slot.place));
            }
        }
        due
    }

    /// When the next slot is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.slots
            .iter()
            .filter_map(|slot| match slot.attempt {
                Attempt::At(at) => Some(at),
                Attempt::None | Attempt::Running => None,
            })
            .min()
    }

    /// A slot's attempt succeeded.
    pub(crate) fn connected(&mut self, number: usize, id: ConnectionId, now: Instant) -> Replaced {
        let Some(slot) = self.slots.get_mut(number) else {
            return Replaced::Drain(id);
        };
        let old = slot.current.replace(Current { id, since: now });
        slot.attempt = if std::mem::take(&mut slot.stale) {
            Attempt::At(now)
        } else {
            Attempt::None
        };
        old.map_or(Replaced::Nothing, |old| Replaced::Drain(old.id))
    }

    /// A slot's attempt failed; `refused` if it will fail again unless someone changes something; `at_least` is what the hub asked for.
    pub(crate) fn failed(
        &mut self,
        number: usize,
        refused: bool,
        at_least: Duration,
        now: Instant,
        unit: f64,
    ) {
        if let Some(slot) = self.slots.get_mut(number) {
            slot.failures = slot.failures.saturating_add(1);
            // It failed with an identity that is not the agent's any more: nothing is known of the new one.
            let wait = if std::mem::take(&mut slot.stale) {
                Duration::ZERO
            } else {
                self.timing.wait(slot.failures, refused, unit)
            };
            slot.attempt = Attempt::At(now + wait.max(at_least.min(self.timing.refused_cap)));
        }
    }

    /// A connection is gone, for whatever reason.
    pub(crate) fn ended(&mut self, id: ConnectionId, now: Instant, unit: f64) {
        let timing = self.timing;
        if let Some((slot, current)) = self.find(id) {
            slot.current = None;
            slot.failures = if now - current.since >= timing.stable {
                0
            } else {
                slot.failures.saturating_add(1)
            };
            let again = now + timing.wait(slot.failures, false, unit);
            match slot.attempt {
                // Its successor is being made already.
                Attempt::Running => {}
                Attempt::At(at) => slot.attempt = Attempt::At(at.min(again)),
                Attempt::None => slot.attempt = Attempt::At(again),
            }
        }
    }

    /// The hub is about to close a connection and asks for a successor within `spread`.
    pub(crate) fn leave(&mut self, id: ConnectionId, spread: Duration, now: Instant, unit: f64) {
        let spread = spread.min(self.timing.refused_cap);
        if let Some((slot, _)) = self.find(id)
            && slot.attempt == Attempt::None
        {
            slot.attempt = Attempt::At(now + spread.mul_f64(unit));
        }
    }

    /// The agent has a new certificate: every connection is to be replaced, and who waits because of the old one need not wait on.
    pub(crate) fn rotate(&mut self, now: Instant) {
        for slot in &mut self.slots {
            match slot.attempt {
                Attempt::Running => slot.stale = true,
                Attempt::None | Attempt::At(_) => slot.attempt = Attempt::At(now),
            }
        }
    }

    /// Connections that are up and not replaced.
    #[cfg(test)]
    pub(crate) fn up(&self) -> usize {
        self.slots.iter().filter(|s| s.current.is_some()).count()
    }

    fn find(&mut self, id: ConnectionId) -> Option<(&mut Slot, Current)> {
        self.slots.iter_mut().find_map(|slot| {
            let current = slot.current.filter(|current| current.id == id)?;
            Some((slot, current))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_with_the_old_identity_does_not_hold_back_the_new_one() {
        let now = Instant::now();
        let mut pool = Pool::new(1, 1, BackoffTiming::default(), now);
        assert_eq!(pool.take_due(now).len(), 1);
        pool.rotate(now);
        pool.failed(0, true, Duration::ZERO, now, 0.5);
        assert_eq!(pool.take_due(now).len(), 1, "at once");
        pool.failed(0, true, Duration::ZERO, now, 0.5);
        assert!(
            pool.take_due(now).is_empty(),
            "the new one is refused as well"
        );
    }

    #[derive(Clone, Debug)]
    enum Happens {
        Success,
        Failure { refused: bool },
        Ends { which: usize },
        Leave { which: usize },
        Rotate,
        Time(u64),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            4 => Just(Happens::Success),
            2 => any::<bool>().prop_map(|refused| Happens::Failure { refused }),
            2 => (0..8_usize).prop_map(|which| Happens::Ends { which }),
            1 => (0..8_usize).prop_map(|which| Happens::Leave { which }),
            1 => Just(Happens::Rotate),
            4 => (0..20_000_u64).prop_map(Happens::Time),
        ]
    }

    proptest! {
        /// Whatever happens, no slot is forgotten: each has a good connection or will have one tried within the cap, and once the world is
        /// friendly again, all are up, one connection per slot.
        #[test]
        fn no_slot_is_ever_forgotten(story in proptest::collection::vec((happens(), 0.0..1.0), 0..120)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let mut now = runtime.block_on(async { Instant::now() });
            let timing = BackoffTiming::default();
            let mut pool = Pool::new(2, 3, timing, now);
            let mut running: Vec<usize> = Vec::new();
            let mut open: BTreeSet<ConnectionId> = BTreeSet::new();
            let mut next_id = 0;
            let mut rotations = 0;
            for (event, unit) in story {
                for (slot, _) in pool.take_due(now) {
                    prop_assert!(!running.contains(&slot), "one attempt per slot");
                    running.push(slot);
                }
                match event {
                    Happens::Success => if let Some(slot) = running.pop() {
                        next_id += 1;
                        open.insert(next_id);
                        if let Replaced::Drain(old) = pool.connected(slot, next_id, now) {
                            prop_assert!(open.remove(&old), "only what is open is drained");
                        }
                    },
                    Happens::Failure { refused } => if let Some(slot) = running.pop() {
                        pool.failed(slot, refused, Duration::ZERO, now, unit);
                    },
                    Happens::Ends { which } => if let Some(&id) = open.iter().nth(which) {
                        open.remove(&id);
                        pool.ended(id, now, unit);
                    },
                    Happens::Leave { which } => if let Some(&id) = open.iter().nth(which) {
                        pool.leave(id, Duration::from_secs(30), now, unit);
                    },
                    Happens::Rotate => { rotations += 1; pool.rotate(now); }
                    Happens::Time(ms) => now += Duration::from_millis(ms),
                }
                prop_assert_eq!(pool.up(), open.len());
                if let Some(due) = pool.next_due() {
                    prop_assert!(due <= now + timing.refused_cap);
                }
            }
            // A friendly world: every attempt succeeds at once.
            for _ in 0..1000 {
                for (slot, _) in pool.take_due(now) { running.push(slot); }
                while let Some(slot) = running.pop() {
                    next_id += 1;
                    pool.connected(slot, next_id, now);
                }
                match pool.next_due() { Some(due) => now = due.max(now), None => break }
            }
            prop_assert_eq!(pool.up(), 6, "after {} rotations", rotations);
            prop_assert!(pool.next_due().is_none());
        }
    }
}
