//! The latest events of one resource, for watchers and for looking back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apiserver_store::{ChangeKind, Revision};
use tokio::sync::watch;

use super::handle::CacheOptions;
use crate::object::Obj;

/// One change of one object.
#[derive(Debug)]
pub struct Event {
    /// The revision of the change.
    pub revision: Revision,
    /// What happened.
    pub kind: ChangeKind,
    /// The object afterwards; for a deletion its final state, with the deletion's revision.
    pub object: Arc<Obj>,
    /// The object before; `None` exactly for a creation.
    pub previous: Option<Arc<Obj>>,
}

impl Event {
    /// What the event keeps in memory that would be gone without it, about.
    fn weight(&self) -> usize {
        self.object.bytes.len()
    }
}

/// One resource's ring, and the bell for those who wait at its end.
#[derive(Debug)]
pub(super) struct Feed {
    ring: Mutex<Ring>,
    bell: watch::Sender<u64>,
}

/// A ring no longer has what a reader must see next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forgotten;

#[derive(Debug)]
pub(super) struct Ring {
    /// Every event of the resource after this revision is here.
    floor: Revision,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The cache started over: nothing will be added, and what follows is elsewhere.
    severed: bool,
}

impl Feed {
    pub(super) fn new(floor: Revision) -> Self {
        let ring = Ring {
            floor,
            events: VecDeque::new(),
            bytes: 0,
            severed: false,
        };
        Self {
            ring: Mutex::new(ring),
            bell: watch::Sender::new(0),
        }
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, Ring> {
        // A ring is whole between any two of its statements that can panic.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Wakes all who wait for events.
    pub(super) fn wake(&self) {
        self.bell
            .send_modify(|rings| *rings = rings.wrapping_add(1));
    }

    /// Ends all watchers of this feed.
    pub(super) fn sever(&self) {
        self.ring().severed = true;
        self.wake();
    }
}

impl Ring {
    pub(super) fn floor(&self) -> Revision {
        self.floor
    }

    /// Adds the newest event and forgets the oldest where the limits ask for it.
    pub(super) fn push(&mut self, event: Arc<Event>, options: &CacheOptions) {
        self.bytes += event.weight();
        self.events.push_back(event);
        while self.events.len() > options.ring_events
            || (self.bytes > options.ring_bytes && self.events.len() > 1)
        {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.bytes -= oldest.weight();
            self.floor = oldest.revision;
        }
    }

    /// Forgets the events through `revision`, and returns whether there were any.
    pub(super) fn forget(&mut self, revision: Revision) -> bool {
        let count = self.events.partition_point(|e| e.revision <= revision);
        for oldest in self.events.drain(..count) {
            self.bytes -= oldest.weight();
            self.floor = oldest.revision;
        }
        self.events.shrink_to(2 * self.events.len());
        count > 0
    }

    /// Up to `limit` events after `cursor`, oldest first.
    pub(super) fn after(
        &self,
        cursor: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, Forgotten> {
        if self.severed || cursor < self.floor {
            return Err(Forgotten);
        }
        let start = self.events.partition_point(|e| e.revision <= cursor);
        let events = self.events.range(start..).take(limit);
        Ok(events.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use apiserver_store::Key;

    use super::*;

    fn event(revision: u64) -> Arc<Event> {
        let key = Key::new("/x", "", "a");
        let revision = Revision::new(revision);
        let bytes = br#"{"kind":"X","apiVersion":"v1","metadata":{}}"#;
        let object = Obj::from_store(key, revision, bytes).unwrap();
        Arc::new(Event {
            revision,
            kind: ChangeKind::Updated,
            object: Arc::new(object),
            previous: None,
        })
    }

    fn after(feed: &Feed, cursor: u64) -> Option<Vec<u64>> {
        let events = feed.ring().after(Revision::new(cursor), 10).ok()?;
        Some(events.iter().map(|e| e.revision.get()).collect())
    }

    #[test]
    fn a_ring_forgets_from_its_end_and_says_so() {
        let options = CacheOptions {
            ring_events: 3,
            ..CacheOptions::default()
        };
        let feed = Feed::new(Revision::new(2));
        assert_eq!(after(&feed, 1), None);
        assert_eq!(after(&feed, 2), Some(vec![]));
        for revision in [4, 6, 7] {
            feed.ring().push(event(revision), &options);
        }
        assert_eq!(after(&feed, 2), Some(vec![4, 6, 7]));
        assert_eq!(after(&feed, 5), Some(vec![6, 7]));
        feed.ring().push(event(9), &options);
        assert_eq!(after(&feed, 3), None);
        assert_eq!(after(&feed, 4), Some(vec![6, 7, 9]));
        assert_eq!(after(&feed, 9), Some(vec![]));
        feed.sever();
        assert_eq!(after(&feed, 9), None);
    }

    #[test]
    fn what_is_compacted_is_forgotten() {
        let feed = Feed::new(Revision::new(2));
        for revision in [4, 6, 9] {
            feed.ring().push(event(revision), &CacheOptions::default());
        }
        assert!(!feed.ring().forget(Revision::new(3)));
        assert_eq!(after(&feed, 2), Some(vec![4, 6, 9]));
        assert!(feed.ring().forget(Revision::new(7)));
        assert_eq!(after(&feed, 5), None);
        assert_eq!(
            after(&feed, 6),
            Some(vec![9]),
            "nothing was between 6 and 7"
        );
        assert!(feed.ring().forget(Revision::new(9)));
        assert_eq!(feed.ring().bytes, 0);
        assert_eq!(after(&feed, 9), Some(vec![]));
    }

    #[test]
    fn one_huge_event_stays() {
        let options = CacheOptions {
            ring_bytes: 10,
            ..CacheOptions::default()
        };
        let feed = Feed::new(Revision::ZERO);
        feed.ring().push(event(1), &options);
        feed.ring().push(event(2), &options);
        assert_eq!(after(&feed, 1), Some(vec![2]));
        assert_eq!(after(&feed, 0), None);
    }
}
