//! The task that keeps the cache in step with the store.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use apiserver_store::{BackendError, Change, ChangeStream, ReadError, Revision, Store};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::apply::{Replay, advance, parse};
use super::feed::Event;
use super::handle::{CacheOptions, Feeds, Shared};
use super::view::View;

/// Pause before the store is asked again after it failed.
const RETRY: Duration = Duration::from_millis(500);

/// Pause between two looks at what the store has compacted meanwhile.
const SWEEP: Duration = Duration::from_secs(30);

/// How often a start is tried while the log is being compacted under it.
const ATTEMPTS: usize = 5;

/// Why the cache cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The store's current state cannot be read.
    #[error("cannot read the store's objects")]
    Load(#[source] BackendError),
    /// The store's history cannot be read.
    #[error("cannot read the store's changes")]
    Changes(#[from] ReadError),
}

/// The state as loaded, and the stream of what follows it.
struct Loaded {
    view: View,
    feeds: Feeds,
    stream: ChangeStream,
}

/// Loads the state, publishes it and starts the task.
pub(super) async fn start(
    store: Store,
    options: CacheOptions,
    stop: CancellationToken,
) -> Result<Arc<Shared>, CacheError> {
    let shared = Arc::new(Shared::new(store, options));
    let loaded = load(&shared.store, &shared.options).await?;
    let mut follower = Follower {
        shared: shared.clone(),
        view: View::default(),
    };
    let stream = follower.adopt(loaded);
    tokio::spawn(async move {
        // Dropping the work at any await leaves the published state whole.
        stop.run_until_cancelled_owned(follower.run(stream)).await;
    });
    Ok(shared)
}

async fn load(store: &Store, options: &CacheOptions) -> Result<Loaded, CacheError> {
    let mut attempt = 1;
    loop {
        match try_load(store, options).await {
            Err(CacheError::Changes(ReadError::Compacted { .. })) if attempt < ATTEMPTS => {
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Reads the current objects, then the log from some way before them: that part only fills the rings.
async fn try_load(store: &Store, options: &CacheOptions) -> Result<Loaded, CacheError> {
    let mut records = store.load().await?;
    let mut view = View {
        revision: records.revision,
        ..View::default()
    };
    while let Some(record) = records.next().await {
        let record = record.map_err(CacheError::Load)?;
        if let Some(object) = parse(&record.key, record.revision, &record.value) {
            view.insert(object);
        }
    }
    let loaded = view.revision;
    let recent = Revision::new(loaded.get().saturating_sub(options.replay));
    let floor = recent.max(store.compacted()).min(loaded);
    let mut feeds = Feeds {
        floor,
        ..Feeds::default()
    };
    let mut stream = store.changes(floor).await?;
    let mut replay = Replay::default();
    let mut reached = floor;
    while reached < loaded {
        let Some(batch) = stream.next().await else {
            return Err(ReadError::Unavailable(BackendError::closed()).into());
        };
        for change in batch?.iter() {
            let event = if change.revision <= loaded {
                replay.event(&view, change)
            } else {
                advance(&mut view, change)
            };
            reached = change.revision;
            if let Some(event) = event {
                let feed = feeds.get_or_make(&change.key.resource);
                feed.ring().push(event, options);
            }
        }
    }
    Ok(Loaded {
        view,
        feeds,
        stream,
    })
}

struct Follower {
    shared: Arc<Shared>,
    view: View,
}

impl Follower {
    /// Takes a loaded state for the cache's own and publishes it.
    fn adopt(&mut self, loaded: Loaded) -> ChangeStream {
        self.view = loaded.view;
        let old = {
            let mut feeds = self
                .shared
                .feeds
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *feeds, loaded.feeds)
        };
        self.publish();
        for feed in old.by_resource.values() {
            feed.sever();
        }
        loaded.stream
    }

    fn publish(&self) {
        self.shared.view.store(Arc::new(self.view.clone()));
        self.shared.applied.send_replace(self.view.revision);
    }

    async fn run(mut self, mut stream: ChangeStream) {
        let mut sweeps = tokio::time::interval(SWEEP);
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                _ = sweeps.tick() => {
                    self.sweep();
                    continue;
                }
            };
            match next {
                Some(Ok(changes)) => self.apply(&changes),
                Some(Err(error)) => stream = self.recover(error).await,
                // The store was closed: what is known stays readable.
                None => return,
            }
        }
    }

    /// Forgets the events that the store has compacted: a burst of changes must not fill memory for good, and answers do not
    /// depend on when the process was started.
    fn sweep(&self) {
        let compacted = self.shared.store.compacted();
        let feeds = self.shared.feeds.read();
        let feeds = feeds.unwrap_or_else(PoisonError::into_inner);
        for feed in feeds.by_resource.values() {
            feed.ring().forget(compacted);
        }
    }

    /// Applies a batch in the order that readers rely on: rings, view, revision, bells.
    fn apply(&mut self, changes: &[Change]) {
        let mut events: Vec<Arc<Event>> = Vec::with_capacity(changes.len());
        let mut touched = Vec::new();
        for change in changes {
            let Some(event) = advance(&mut self.view, change) else {
                continue;
            };
            let feed = {
                let feeds = self.shared.feeds.read();
                let feeds = feeds.unwrap_or_else(PoisonError::into_inner);
                feeds.by_resource.get(&change.key.resource).cloned()
            };
            let feed = feed.unwrap_or_else(|| {
                let feeds = self.shared.feeds.write();
                let mut feeds = feeds.unwrap_or_else(PoisonError::into_inner);
                feeds.get_or_make(&change.key.resource).clone()
            });
            feed.ring().push(event.clone(), &self.shared.options);
            if !touched.iter().any(|other| Arc::ptr_eq(other, &feed)) {
                touched.push(feed);
            }
            events.push(event);
        }
        self.publish();
        for feed in touched {
            feed.wake();
        }
        // Nobody listening is fine.
        let _ = self.shared.everything.send(events.into());
    }

    /// Opens the stream anew, or starts over if the log has moved past this cache.
    async fn recover(&mut self, error: ReadError) -> ChangeStream {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "following the store failed; trying again"
        );
        loop {
            tokio::time::sleep(RETRY).await;
            match self.shared.store.changes(self.view.revision).await {
                Ok(stream) => return stream,
                Err(ReadError::Unavailable(_)) => continue,
                Err(ReadError::Compacted { .. } | ReadError::Future { .. }) => {}
            }
            match load(&self.shared.store, &self.shared.options).await {
                Ok(loaded) => return self.adopt(loaded),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store could not be loaded again"
                ),
            }
        }
    }
}
