//! Kinds of objects that are followed by watching.

use std::fmt::Debug;
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

/// The objects of a kind as of a moment ago.
#[derive(Clone)]
pub(super) struct Watched<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    store: Store<K>,
    is_synced: Arc<AtomicBool>,
}

impl<K> Watched<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    /// Were all objects seen at least once?
    pub(super) fn is_synced(&self) -> bool {
        self.is_synced.load(Ordering::Acquire)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }
}

/// Starts to follow a kind: what is known of it, and the work, which runs until dropped. `changed` is told of everything new.
pub(super) fn watch<K>(
    api: Api<K>,
    config: watcher::Config,
    kind: K::DynamicType,
    changed: Arc<Notify>,
) -> (Watched<K>, impl Future<Output = ()> + Send)
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Send + Sync,
{
    let what = K::plural(&kind).into_owned();
    let mut writer = Writer::new(kind);
    let is_synced = Arc::new(AtomicBool::new(false));
    let watched = Watched {
        store: writer.as_reader(),
        is_synced: is_synced.clone(),
    };
    let work = async move {
        let mut events = pin!(watcher(api, config).default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    writer.apply_watcher_event(&event);
                    if matches!(event, watcher::Event::InitDone) {
                        is_synced.store(true, Ordering::Release);
                    }
                    changed.notify_one();
                }
                Err(error) => tracing::warn!(%error, what, "a watch was interrupted"),
            }
        }
    };
    (watched, work)
}
