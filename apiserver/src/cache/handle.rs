//! The handle that everyone holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use apiserver_store::{Key, Revision, Store};
use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::feed::{Event, Feed};
use super::follow::{self, CacheError};
use super::history::Pins;
use super::view::{Snapshot, View};
use super::watcher::{TooOld, Watcher};
use crate::object::Obj;
use crate::status::ApiError;

/// How long a read waits for a revision that the cache has not reached yet, as upstream's watch cache.
const PATIENCE: Duration = Duration::from_secs(3);

/// Batches of events that a subscriber of all resources may be behind before it is told that it missed some.
const SUBSCRIPTION: usize = 1024;

/// How much the cache remembers, of what the store has not compacted yet. The defaults suit a server.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// So many of the latest events are kept per resource.
    pub ring_events: usize,
    /// The objects of those events together weigh at most so many bytes per resource.
    pub ring_bytes: usize,
    /// At most so many of the latest changes are read back at start, so that clients can resume their watches.
    pub replay: u64,
}

impl Default for CacheOptions {
    /// Ten thousand events as upstream's limit is of that order, but no more than 8 MiB of them.
    fn default() -> Self {
        Self {
            ring_events: 10_000,
            ring_bytes: 8 << 20,
            replay: 5_000,
        }
    }
}

/// Handle on the cache. Cheap to clone; the cache stops following the store when the last handle is dropped.
#[derive(Clone)]
pub struct Cache {
    pub(super) shared: Arc<Shared>,
    _running: Arc<DropGuard>,
}

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) options: CacheOptions,
    pub(super) view: ArcSwap<View>,
    pub(super) feeds: RwLock<Feeds>,
    pub(super) applied: watch::Sender<Revision>,
    pub(super) everything: broadcast::Sender<Arc<[Arc<Event>]>>,
    pub(super) pins: Mutex<Pins>,
    pub(super) watches: CancellationToken,
}

/// The feeds that exist. A resource without one had no event since `floor`.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    pub(super) floor: Revision,
    pub(super) by_resource: HashMap<Arc<str>, Arc<Feed>>,
}

impl Feeds {
    pub(super) fn get_or_make(&mut self, resource: &Arc<str>) -> &Arc<Feed> {
        let floor = self.floor;
        self.by_resource
            .entry(resource.clone())
            .or_insert_with(|| Arc::new(Feed::new(floor)))
    }
}

impl Cache {
    /// Loads the store's state and its recent changes, and follows it from then on, in a task of the current runtime.
    ///
    /// # Errors
    /// [`CacheError`] if the store cannot be read.
    pub async fn start(store: Store, options: CacheOptions) -> Result<Self, CacheError> {
        let stop = CancellationToken::new();
        let shared = follow::start(store, options, stop.clone()).await?;
        Ok(Self {
            shared,
            _running: Arc::new(stop.drop_guard()),
        })
    }

    /// The revision up to which everything is applied. Never falls.
    pub fn revision(&self) -> Revision {
        self.shared.view.load().revision
    }

    /// Waits, up to three seconds, until the cache has reached a revision.
    ///
    /// # Errors
    /// 504 `Timeout` with cause `ResourceVersionTooLarge`, upon which clients list anew.
    pub async fn wait_for(&self, revision: Revision) -> Result<(), ApiError> {
        if self.revision() >= revision {
            return Ok(());
        }
        let mut applied = self.shared.applied.subscribe();
        let reached = applied.wait_for(|applied| *applied >= revision);
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(too_large(revision, self.revision())),
        }
    }

    /// Waits until the cache has everything that was committed before the call, by any process on the same database, so
    /// that a client reads what it wrote, wherever it wrote it.
    ///
    /// # Errors
    /// As [`Cache::wait_for`], if the cache has fallen behind; 503 if a database that others may write cannot be asked.
    pub async fn fresh(&self) -> Result<(), ApiError> {
        match self.shared.store.latest().await {
            Ok(latest) => self.wait_for(latest).await,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the latest revision is unknown");
                Err(ApiError::unavailable("the store cannot be read"))
            }
        }
    }

    /// One object as it is now; `resource` is the store's resource name, `namespace` empty for cluster-scoped objects.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Obj>> {
        self.shared
            .view
            .load()
            .find(resource, namespace, name)
            .cloned()
    }

    /// One object as it is now, by its store key.
    pub fn get_key(&self, key: &Key) -> Option<Arc<Obj>> {
        self.shared.view.load().get(key).cloned()
    }

    /// All objects of a resource as they are now.
    pub fn list(&self, resource: &str) -> Snapshot {
        self.shared.view.load().snapshot(resource)
    }

    /// All resources that have objects now, each with its objects, all at the same revision.
    pub fn all(&self) -> Vec<(Arc<str>, Snapshot)> {
        let view = self.shared.view.load();
        let resources = view.tables.keys().cloned();
        resources
            .map(|resource| {
                let snapshot = view.snapshot(&resource);
                (resource, snapshot)
            })
            .collect()
    }

    /// How many objects each resource has; resources without any are left out.
    pub fn counts(&self) -> Vec<(Arc<str>, usize)> {
        let view = self.shared.view.load();
        let tables = view.tables.iter();
        tables
            .map(|(resource, objects)| (resource.clone(), objects.len()))
            .collect()
    }

    /// Every object of any resource that names the uid in its owner references.
    pub fn dependents(&self, uid: &str) -> Vec<Arc<Obj>> {
        self.shared.view.load().dependents(uid)
    }

    /// The events of one resource strictly after a revision, usually that of a snapshot. A revision in the future is
    /// taken as it is: see [`Cache::wait_for`].
    ///
    /// # Errors
    /// [`TooOld`] if what follows the revision is no longer in memory.
    pub fn watch(&self, resource: &Arc<str>, after: Revision) -> Result<Watcher, TooOld> {
        let known = self.read_feed(resource);
        let feed = known.unwrap_or_else(|| {
            let mut feeds = self
                .shared
                .feeds
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            feeds.get_or_make(resource).clone()
        });
        Watcher::new(feed, self.shared.applied.subscribe(), after)
    }

    /// The events of all resources from now on, for controllers: a hint to look again. A receiver that is too slow is told
    /// that it missed some, and must then look at everything. By the time a batch arrives, the cache has applied it.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Arc<Event>]>> {
        self.shared.everything.subscribe()
    }

    /// Cancelled when watches are to end, because the server shuts down.
    pub fn watches_end(&self) -> CancellationToken {
        self.shared.watches.clone()
    }

    /// Ends all watch responses, now and in future. The cache goes on for other requests.
    pub fn end_watches(&self) {
        self.shared.watches.cancel();
    }

    pub(super) fn read_feed(&self, resource: &str) -> Option<Arc<Feed>> {
        let feeds = self
            .shared
            .feeds
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        feeds.by_resource.get(resource).cloned()
    }
}

/// 504, as upstream's `NewTooLargeResourceVersionError`.
pub(super) fn too_large(asked: Revision, current: Revision) -> ApiError {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    ApiError::timeout(message, 1).with_cause(
        "ResourceVersionTooLarge",
        "Too large resource version",
        "",
    )
}

impl Shared {
    pub(super) fn new(store: Store, options: CacheOptions) -> Self {
        Self {
            store,
            options,
            view: ArcSwap::default(),
            feeds: RwLock::default(),
            applied: watch::Sender::new(Revision::ZERO),
            everything: broadcast::Sender::new(SUBSCRIPTION),
            pins: Mutex::default(),
            watches: CancellationToken::new(),
        }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache(at {})", self.revision())
    }
}
