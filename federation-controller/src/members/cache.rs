//! What one member holds of one target kind.

use std::hash::Hash;
use std::sync::Arc;

use federation_api::kinds::ApiResource;
use federation_api::labels;
use kube::api::Api;
use kube::runtime::watcher;
use tokio::sync::watch;

use super::Member;
use crate::clients::chain;
use crate::hub::{Change, FollowError, Followed, JsonObject, ObjectKey, Store, follow};
use crate::work::{Env, OwnedTask};

/// A kind that is propagated, as members serve it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Lowercase plural.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

impl TargetKind {
    /// For kube's dynamic API.
    #[must_use]
    pub fn api_resource(&self) -> kube::core::ApiResource {
        let gvk = kube::core::GroupVersionKind::gvk(&self.group, &self.version, &self.kind);
        kube::core::ApiResource::from_gvk_with_plural(&gvk, &self.plural)
    }

    /// The collection of one namespace, or the whole collection.
    #[must_use]
    pub fn api(&self, client: kube::Client, namespace: Option<&str>) -> Api<JsonObject> {
        JsonObject::api(
            client,
            &self.api_resource(),
            namespace.filter(|_| self.namespaced),
        )
    }
}

impl From<&ApiResource> for TargetKind {
    fn from(resource: &ApiResource) -> Self {
        Self {
            group: resource.group().to_owned(),
            version: resource.version.clone(),
            kind: resource.kind.clone(),
            plural: resource.plural_name.clone(),
            namespaced: resource.is_namespaced(),
        }
    }
}

/// How far the cache can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheState {
    /// The member is not ready, or the first list of this connection has not ended.
    Waiting,
    /// The cache follows the member.
    Synced,
    /// The member does not serve the kind.
    NotServed,
    /// The member refuses the list or the watch.
    Failed(String),
}

/// What happened in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheEvent {
    /// A managed object is new, changed or gone.
    Object {
        /// Its key in the member.
        key: ObjectKey,
        /// False if a list told it.
        live: bool,
    },
    /// The state of the cache changed in kind.
    State,
}

/// Managed objects of one kind in one member: what decisions need of them. Dropping it ends the watch.
pub struct MemberCache {
    store: Arc<Store<JsonObject>>,
    state: watch::Receiver<CacheState>,
    _task: OwnedTask,
}

impl MemberCache {
    /// Starts following `kind` in `member`, whenever it is ready. `trim` drops what nobody needs of an object; `told`
    /// may enqueue keys and nothing more.
    #[must_use]
    pub fn start(
        member: Arc<Member>,
        kind: TargetKind,
        trim: fn(&mut JsonObject),
        env: Env,
        told: impl Fn(CacheEvent) + Send + Sync + 'static,
    ) -> Self {
        let store = Arc::new(Store::default());
        let (state_tx, state) = watch::channel(CacheState::Waiting);
        let task = OwnedTask::spawn(run(
            member,
            kind,
            Arc::clone(&store),
            state_tx,
            trim,
            env,
            told,
        ));
        Self {
            store,
            state,
            _task: task,
        }
    }

    /// The object, as last seen. Meaningful only while [`MemberCache::state`] is [`CacheState::Synced`].
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<JsonObject>> {
        self.store.get(key)
    }

    /// How far the cache can be trusted now.
    #[must_use]
    pub fn state(&self) -> CacheState {
        self.state.borrow().clone()
    }

    /// Waits until more is known than that the first list has not ended.
    pub async fn judged(&self) {
        let mut state = self.state.clone();
        // An ended cache judges nothing any more; there is nothing to wait for.
        let _ = state.wait_for(|state| *state != CacheState::Waiting).await;
    }

    /// Takes in what a write of ours returned, so that the next decision does not wait for the watch to echo it. An
    /// object that the cache knows in a newer version stays.
    pub fn note_written(&self, object: JsonObject, trim: fn(&mut JsonObject)) {
        let key = ObjectKey::of(kube::Resource::meta(&object));
        let version = |object: &JsonObject| -> Option<u64> {
            kube::Resource::meta(object)
                .resource_version
                .as_deref()?
                .parse()
                .ok()
        };
        let held = self.store.get(&key);
        let newer = held.is_none_or(|held| version(&held) < version(&object));
        if newer {
            let mut object = object;
            trim(&mut object);
            self.store.insert(key, Arc::new(object));
        }
    }
}

async fn run(
    member: Arc<Member>,
    kind: TargetKind,
    store: Arc<Store<JsonObject>>,
    state: watch::Sender<CacheState>,
    trim: fn(&mut JsonObject),
    env: Env,
    told: impl Fn(CacheEvent) + Send + Sync + 'static,
) {
    let enter = |next: CacheState| {
        let changed = state.send_if_modified(|held| {
            let changed = std::mem::discriminant(held) != std::mem::discriminant(&next);
            *held = next;
            changed
        });
        if changed {
            told(CacheEvent::State);
        }
    };
    loop {
        let (epoch, member_client) = member.ready().await;
        let followed = Followed {
            api: kind.api(member_client, None),
            config: watcher::Config::default().labels(&format!(
                "{}={}",
                labels::MANAGED,
                labels::MANAGED_TRUE
            )),
            store: Arc::clone(&store),
            trim,
            env: env.clone(),
        };
        let on_change = |change: Change<'_, JsonObject>| match change {
            Change::Applied { key, live, .. } => told(CacheEvent::Object {
                key: key.clone(),
                live,
            }),
            Change::Removed { key, .. } => told(CacheEvent::Object {
                key: key.clone(),
                live: true,
            }),
            Change::Synced => enter(CacheState::Synced),
        };
        let on_failure = |error: &FollowError| {
            tracing::debug!(member = member.name(), kind = %kind.kind, error = %chain(error), "member watch interrupted");
            member.doubt();
            if error.is_not_served() {
                enter(CacheState::NotServed);
            } else if *state.borrow() != CacheState::Synced {
                enter(CacheState::Failed(chain(error)));
            }
        };
        tokio::select! {
            () = follow(followed, on_change, on_failure) => {}
            () = member.epoch_over(epoch) => {}
        }
        enter(CacheState::Waiting);
    }
}
