//! Keeps a store in step with a collection.

use std::collections::HashSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::{ObjectKey, Store};
use crate::clients::chain;
use crate::work::{Backoff, Env};

/// What changed in a store. A callback may enqueue keys and nothing more: the watch waits for it.
#[derive(Debug)]
pub enum Change<'a, K> {
    /// The object is new or changed. Not told when the resource version is already held.
    Applied {
        /// Its key.
        key: &'a ObjectKey,
        /// What was held before.
        old: Option<&'a K>,
        /// What is held now.
        new: &'a K,
        /// False if a list told it, so it may be old news.
        live: bool,
    },
    /// The object is gone.
    Removed {
        /// Its key.
        key: &'a ObjectKey,
        /// What was held before.
        old: &'a K,
    },
    /// A whole list was seen.
    Synced,
}

/// Why a watch had to be reopened.
#[derive(Debug, thiserror::Error)]
#[error("watch interrupted")]
pub struct FollowError(#[from] watcher::Error);

impl FollowError {
    /// True if the server does not serve the kind (or does not let us see it exists).
    #[must_use]
    pub fn is_not_served(&self) -> bool {
        use watcher::Error;
        match &self.0 {
            Error::InitialListFailed(kube::Error::Api(status))
            | Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
            Error::WatchError(status) => status.code == 404,
            _ => false,
        }
    }

    /// True if the server does not let us list or watch the kind.
    fn is_refusal(&self) -> bool {
        use watcher::Error;
        match &self.0 {
            Error::InitialListFailed(kube::Error::Api(status))
            | Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 403,
            Error::WatchError(status) => status.code == 403,
            _ => false,
        }
    }

    /// True if the watch merely fell out of the server's window and a new list will heal it.
    fn is_routine(&self) -> bool {
        matches!(&self.0, watcher::Error::WatchError(status) if status.code == 410)
    }
}

/// What to follow and where to put it.
pub struct Followed<K> {
    /// The collection.
    pub api: Api<K>,
    /// Selectors.
    pub config: watcher::Config,
    /// Where the objects go.
    pub store: Arc<Store<K>>,
    /// Drops what nobody needs before the object is stored.
    pub trim: fn(&mut K),
    /// Chance for the backoff.
    pub env: Env,
}

/// Lists and watches until the future is dropped, reopening with [`Backoff::STREAM`], or [`Backoff::OBJECT`] where the server
/// refuses us: rights come late or never. `told` hears every change after it is in the store; `failed` hears of an
/// interruption that is not routine, but of one that goes on with the same error only once.
///
/// The store is never emptied by an interruption: after the next list, what is gone is told as removed.
pub async fn follow<K>(
    followed: Followed<K>,
    mut told: impl FnMut(Change<'_, K>) + Send,
    mut failed: impl FnMut(&FollowError) + Send,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let Followed {
        api,
        config,
        store,
        trim,
        env,
    } = followed;
    let mut listed: HashSet<ObjectKey> = HashSet::new();
    let mut outage = Outage::default();
    let mut events = pin!(watcher::watcher(api, config));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // The watcher says `Init` before it asks the server for anything.
                if !matches!(event, Event::Init) {
                    outage = Outage::default();
                }
                apply(&store, &mut listed, event, trim, &mut told);
            }
            Err(error) => {
                let error = FollowError(error);
                if !error.is_routine() {
                    let wait = outage.backoff(&error).delay(outage.failures, env.unit());
                    if outage.is_another(&error) {
                        failed(&error);
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

/// Failures in a row.
#[derive(Debug, Default)]
struct Outage {
    failures: u32,
    said: Option<String>,
}

impl Outage {
    fn backoff(&self, error: &FollowError) -> Backoff {
        if error.is_refusal() {
            Backoff::OBJECT
        } else {
            Backoff::STREAM
        }
    }

    /// Counts a failure; true if it is another one than the last.
    fn is_another(&mut self, error: &FollowError) -> bool {
        self.failures += 1;
        let said = Some(chain(error));
        let new = self.said != said;
        self.said = said;
        new
    }
}

fn apply<K: Resource>(
    store: &Store<K>,
    listed: &mut HashSet<ObjectKey>,
    event: Event<K>,
    trim: fn(&mut K),
    told: &mut impl FnMut(Change<'_, K>),
) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            let key = ObjectKey::of(object.meta());
            listed.insert(key.clone());
            if !is_held(store, &key, &object) {
                put(store, key, object, false, trim, told);
            }
        }
        Event::InitDone => {
            for key in store.keys() {
                if !listed.contains(&key) {
                    drop_key(store, &key, told);
                }
            }
            listed.clear();
            store.mark_synced();
            told(Change::Synced);
        }
        Event::Apply(object) => {
            let key = ObjectKey::of(object.meta());
            if !is_held(store, &key, &object) {
                put(store, key, object, true, trim, told);
            }
        }
        Event::Delete(object) => drop_key(store, &ObjectKey::of(object.meta()), told),
    }
}

/// True if exactly this version is held: by an earlier list, or because our own write put it there.
fn is_held<K: Resource>(store: &Store<K>, key: &ObjectKey, object: &K) -> bool {
    object.meta().resource_version.is_some()
        && store
            .get(key)
            .is_some_and(|held| held.meta().resource_version == object.meta().resource_version)
}

fn put<K>(
    store: &Store<K>,
    key: ObjectKey,
    mut object: K,
    live: bool,
    trim: fn(&mut K),
    told: &mut impl FnMut(Change<'_, K>),
) {
    trim(&mut object);
    let new = Arc::new(object);
    let old = store.insert(key.clone(), Arc::clone(&new));
    told(Change::Applied {
        key: &key,
        old: old.as_deref(),
        new: &new,
        live,
    });
}

fn drop_key<K>(store: &Store<K>, key: &ObjectKey, told: &mut impl FnMut(Change<'_, K>)) {
    if let Some(old) = store.remove(key) {
        told(Change::Removed { key, old: &old });
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    fn run(store: &Store<ConfigMap>, events: Vec<Event<ConfigMap>>) -> Vec<String> {
        let mut log = Vec::new();
        let mut listed = HashSet::new();
        for event in events {
            apply(store, &mut listed, event, |_| {}, &mut |change| {
                log.push(match change {
                    Change::Applied { key, old, live, .. } => {
                        format!("+{key} old={} live={live}", old.is_some())
                    }
                    Change::Removed { key, .. } => format!("-{key}"),
                    Change::Synced => "synced".to_owned(),
                });
            });
        }
        log
    }

    #[test]
    fn a_refusal_that_goes_on_is_told_once_and_tried_ever_less_often() {
        let refused = |message: &str| {
            let status = kube::core::Status::failure(message, "Forbidden").with_code(403);
            FollowError(watcher::Error::InitialListFailed(kube::Error::Api(
                status.boxed(),
            )))
        };
        let mut outage = Outage::default();
        let told: Vec<bool> = ["a", "a", "b", "b"]
            .map(|message| outage.is_another(&refused(message)))
            .to_vec();
        assert_eq!(told, [true, false, true, false]);
        let longest = outage.backoff(&refused("b")).delay(20, 1.0);
        assert!(longest >= std::time::Duration::from_secs(30), "{longest:?}");
    }

    #[test]
    fn a_relist_tells_only_what_differs() {
        let store = Store::default();
        let first = run(
            &store,
            vec![
                Event::Init,
                Event::InitApply(object("a", "1")),
                Event::InitApply(object("b", "2")),
                Event::InitDone,
                Event::Apply(object("c", "3")),
            ],
        );
        assert_eq!(
            first,
            [
                "+ns/a old=false live=false",
                "+ns/b old=false live=false",
                "synced",
                "+ns/c old=false live=true"
            ]
        );
        let second = run(
            &store,
            vec![
                Event::Init,
                Event::InitApply(object("a", "1")),
                Event::InitApply(object("b", "5")),
                Event::InitDone,
            ],
        );
        assert_eq!(second, ["+ns/b old=true live=false", "-ns/c", "synced"]);
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn a_deletion_of_something_unknown_is_not_told() {
        let store = Store::default();
        assert!(run(&store, vec![Event::Delete(object("x", "1"))]).is_empty());
    }
}
