//! Looking back: a resource as it was at an older revision.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use apiserver_store::{BackendError, ReadError, Revision};
use tokio::time::Instant;

use super::apply::parse;
use super::handle::{Cache, too_large};
use super::view::{ObjectName, Objects, Snapshot};
use crate::status::ApiError;

/// Snapshots that are kept for the next page of a list.
const PINS: usize = 64;

/// How long they are kept: as long as the store keeps its history by default.
const PIN_AGE: Duration = Duration::from_secs(300);

/// Why a resource cannot be shown at a revision.
#[derive(Debug, thiserror::Error)]
pub enum AtError {
    /// The revision is compacted.
    #[error("the revision is compacted")]
    Expired,
    /// The revision was not reached in time.
    #[error("the revision is in the future; the latest is {latest}")]
    Future {
        /// What was reached.
        latest: Revision,
    },
    /// The database cannot be read.
    #[error("the store cannot be read")]
    Unavailable(#[source] BackendError),
}

/// Snapshots under an older revision that someone is likely to ask for again.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pins: VecDeque<(Arc<str>, Instant, Snapshot)>,
}

impl Pins {
    fn get(&self, resource: &str, revision: Revision) -> Option<Snapshot> {
        let mut pins = self.pins.iter().rev();
        let pin = pins.find(|(name, _, s)| s.revision == revision && **name == *resource)?;
        Some(pin.2.clone())
    }

    fn add(&mut self, resource: Arc<str>, now: Instant, snapshot: Snapshot) {
        while self.pins.len() >= PINS
            || self
                .pins
                .front()
                .is_some_and(|(_, since, _)| now.duration_since(*since) > PIN_AGE)
        {
            self.pins.pop_front();
        }
        if self.get(&resource, snapshot.revision).is_none() {
            self.pins.push_back((resource, now, snapshot));
        }
    }
}

impl Cache {
    /// A resource exactly as it was at a revision; waits for one that is shortly ahead, as [`Cache::wait_for`].
    ///
    /// Answered from memory as far as the ring reaches back, else from the store. What the store has compacted counts as
    /// gone even where memory still has it, so that answers do not depend on when the process was started.
    ///
    /// # Errors
    /// [`AtError`].
    pub async fn at(&self, resource: &Arc<str>, revision: Revision) -> Result<Snapshot, AtError> {
        if self.wait_for(revision).await.is_err() {
            return Err(AtError::Future {
                latest: self.revision(),
            });
        }
        let now = self.list(resource);
        if now.revision == revision {
            return Ok(now);
        }
        if revision < self.shared.store.compacted() {
            return Err(AtError::Expired);
        }
        let pinned = {
            let pins = self.shared.pins.lock();
            let pins = pins.unwrap_or_else(PoisonError::into_inner);
            pins.get(resource, revision)
        };
        if let Some(snapshot) = pinned.or_else(|| self.undo(resource, now, revision)) {
            return Ok(snapshot);
        }
        let snapshot = self.read_at(resource, revision).await?;
        self.pin(resource, &snapshot);
        Ok(snapshot)
    }

    /// Keeps a snapshot at hand for some minutes: more pages of it will be asked for.
    pub fn pin(&self, resource: &Arc<str>, snapshot: &Snapshot) {
        let pins = self.shared.pins.lock();
        let mut pins = pins.unwrap_or_else(PoisonError::into_inner);
        pins.add(resource.clone(), Instant::now(), snapshot.clone());
    }

    /// Takes the events after `revision` back, if all of them are in memory.
    fn undo(&self, resource: &str, from: Snapshot, revision: Revision) -> Option<Snapshot> {
        let floor = {
            let feeds = self.shared.feeds.read();
            feeds.unwrap_or_else(PoisonError::into_inner).floor
        };
        let Some(feed) = self.read_feed(resource) else {
            // No event of this resource since the floor.
            return (revision >= floor).then_some(Snapshot { revision, ..from });
        };
        let events = feed.ring().after(revision, usize::MAX).ok()?;
        let mut objects = from.objects;
        for event in events.iter().rev() {
            if event.revision > from.revision {
                continue;
            }
            let name = ObjectName::of(&event.object.key);
            match &event.previous {
                Some(previous) => objects.insert(name, previous.clone()),
                None => objects.remove(&name),
            };
        }
        Some(Snapshot { revision, objects })
    }

    async fn read_at(&self, resource: &str, revision: Revision) -> Result<Snapshot, AtError> {
        let page = self
            .shared
            .store
            .list_at(resource, None, None, usize::MAX, revision)
            .await
            .map_err(|error| match error {
                ReadError::Compacted { .. } => AtError::Expired,
                ReadError::Future { latest } => AtError::Future { latest },
                ReadError::Unavailable(source) => AtError::Unavailable(source),
            })?;
        let objects: Objects = page
            .records
            .iter()
            .filter_map(|record| parse(&record.key, record.revision, &record.value))
            .map(|object| (ObjectName::of(&object.key), object))
            .collect();
        Ok(Snapshot { revision, objects })
    }
}

impl AtError {
    /// The error that a client sees; `expired` is what an expired revision means in its request.
    pub fn into_api(self, asked: Revision, expired: impl FnOnce() -> ApiError) -> ApiError {
        match self {
            Self::Expired => expired(),
            Self::Future { latest } => too_large(asked, latest),
            Self::Unavailable(source) => {
                tracing::error!(
                    error = &source as &dyn std::error::Error,
                    "an old list cannot be read"
                );
                ApiError::unavailable("the store cannot be read")
            }
        }
    }
}
