//! A cursor in the events of one resource.

use std::sync::Arc;

use apiserver_store::Revision;
use tokio::sync::watch;

use super::feed::{Event, Feed, Forgotten};

/// Events that a watcher takes at once: enough to be fast, few enough to hold the ring's lock shortly.
const BATCH: usize = 128;

/// The events that a watch asks for are no longer in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the events after {asked} are forgotten; the oldest revision to start from is {oldest}")]
pub struct TooOld {
    /// Where the watch wanted to start.
    pub asked: Revision,
    /// The lowest revision that it could start from.
    pub oldest: Revision,
}

/// A watcher cannot go on: it was so slow that its next events were forgotten, or the cache started over. What it
/// yielded until now was complete; start again after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the next events are forgotten")]
pub struct Lost;

impl From<Forgotten> for Lost {
    fn from(Forgotten: Forgotten) -> Self {
        Self
    }
}

/// Yields every event of one resource after some revision, each once, in order. Costs nothing while it waits.
#[derive(Debug)]
pub struct Watcher {
    feed: Arc<Feed>,
    bell: watch::Receiver<u64>,
    applied: watch::Receiver<Revision>,
    /// Every event up to here was yielded.
    cursor: Revision,
}

impl Watcher {
    pub(super) fn new(
        feed: Arc<Feed>,
        applied: watch::Receiver<Revision>,
        after: Revision,
    ) -> Result<Self, TooOld> {
        let oldest = feed.ring().floor();
        if after < oldest {
            return Err(TooOld {
                asked: after,
                oldest,
            });
        }
        let bell = feed.subscribe();
        Ok(Self {
            feed,
            bell,
            applied,
            cursor: after,
        })
    }

    /// The next events, at least one; waits for them. May be dropped at any point without losing any.
    ///
    /// # Errors
    /// [`Lost`]; it will say so from then on.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, Lost> {
        loop {
            self.bell.borrow_and_update();
            let events = self.ready()?;
            if !events.is_empty() {
                return Ok(events);
            }
            // The feed is alive as long as this watcher is: its sender is never gone.
            self.bell.changed().await.map_err(|_| Lost)?;
        }
    }

    /// The next events that are there already; maybe none.
    ///
    /// # Errors
    /// [`Lost`]; it will say so from then on.
    pub fn ready(&mut self) -> Result<Vec<Arc<Event>>, Lost> {
        let events = self.feed.ring().after(self.cursor, BATCH)?;
        if let Some(last) = events.last() {
            self.cursor = last.revision;
        }
        Ok(events)
    }

    /// A revision up to which every event was yielded, as high as possible; `None` while some are still to be yielded.
    pub fn progress(&mut self) -> Option<Revision> {
        // First the revision, then the ring: what belongs to the revision is in the ring by then.
        let applied = *self.applied.borrow_and_update();
        let pending = self.feed.ring().after(self.cursor, 1).ok()?;
        if !pending.is_empty() {
            return None;
        }
        self.cursor = self.cursor.max(applied);
        Some(self.cursor)
    }
}
