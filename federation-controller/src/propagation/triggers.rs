//! What puts federated objects of a type into its queue.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::watcher;
use tokio::sync::broadcast::error::RecvError;

use super::controller::TypeWork;
use crate::clients::chain;
use crate::context::HubChange;
use crate::hub::{Change, Followed, JsonObject, follow};
use crate::members::{CacheEvent, CacheState, Member, MemberCache, MemberEvent, MemberState};
use crate::work::Priority;

/// Every object is looked at again after this time even if nothing happened: a comparison, no write.
const FULL_PASS: Duration = Duration::from_secs(600);

impl TypeWork {
    /// Follows the federated objects themselves.
    pub(super) async fn follow_objects(&self) {
        let followed = Followed {
            api: JsonObject::api(self.context.hub_client.clone(), &self.federated, None),
            config: watcher::Config::default(),
            store: Arc::clone(&self.objects),
            trim: trim_federated,
            env: self.context.env.clone(),
        };
        let queue = self.queue.clone();
        let changes = self.context.changes.clone();
        let is_namespace = self.is_namespace;
        follow(
            followed,
            move |change| match change {
                Change::Applied {
                    key,
                    old,
                    new,
                    live,
                } => {
                    if old.is_none_or(|old| asks_for_more(old, new)) {
                        queue.add(
                            key.clone(),
                            if live {
                                Priority::Edit
                            } else {
                                Priority::Backlog
                            },
                        );
                        if is_namespace {
                            let _ = changes.send(HubChange::Namespace(key.namespace.clone()));
                        }
                    } else if old.is_some_and(|old| says_otherwise(old, new)) {
                        queue.add(key.clone(), Priority::Backlog);
                    }
                }
                Change::Removed { key, .. } => {
                    queue.add(key.clone(), Priority::Edit);
                    if is_namespace {
                        let _ = changes.send(HubChange::Namespace(key.namespace.clone()));
                    }
                }
                Change::Synced => {}
            },
            |error| {
                if error.is_not_served() {
                    tracing::debug!(error = %chain(error), "the federated kind is not served yet");
                } else {
                    tracing::warn!(error = %chain(error), "watch of federated objects interrupted");
                }
            },
        )
        .await;
    }

    /// Follows members: their caches, and what their coming and going means for objects.
    pub(super) async fn follow_members(self: &Arc<Self>) {
        let mut events = self.context.members.listen();
        self.keep_caches();
        loop {
            let event = events.recv().await;
            self.keep_caches();
            match event {
                Ok(MemberEvent::NotReady { .. }) => {
                    self.queue_all(self.context.settings.delays.unavailable)
                }
                Ok(MemberEvent::Clusters) | Err(RecvError::Lagged(_)) => {
                    self.queue_all(Duration::ZERO)
                }
                // The first list of the new connection queues what it must, see `on_cache`.
                Ok(MemberEvent::Ready { .. } | MemberEvent::Tunnel { .. }) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Follows what objects depend on besides members.
    pub(super) async fn follow_hub(&self) {
        let mut changes = self.context.changes.subscribe();
        loop {
            match changes.recv().await {
                Ok(HubChange::Namespace(namespace)) => {
                    for key in self
                        .objects
                        .keys()
                        .into_iter()
                        .filter(|key| key.namespace == namespace)
                    {
                        self.queue.add(key, Priority::Backlog);
                    }
                }
                Ok(HubChange::Cells) | Err(RecvError::Lagged(_)) => self.queue_all(Duration::ZERO),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Looks at everything again from time to time, and keeps the queue's depth visible.
    pub(super) async fn pass_periodically(&self) {
        loop {
            let jitter = 1.0 + 0.2 * self.context.env.unit();
            tokio::time::sleep(FULL_PASS.mul_f64(jitter)).await;
            self.queue_all(Duration::ZERO);
        }
    }

    pub(super) fn keep_caches(self: &Arc<Self>) {
        let members = self.context.members.all();
        self.context.metrics.joined_clusters(members.len());
        self.caches
            .keep(members.into_values(), |member| self.start_cache(member));
    }

    fn start_cache(self: &Arc<Self>, member: Arc<Member>) -> MemberCache {
        // Weak, as the cache belongs to the work: its task must not keep the work alive.
        let work = Arc::downgrade(self);
        let told_member = Arc::clone(&member);
        MemberCache::start(
            member,
            self.kind.clone(),
            self.trim,
            self.context.env.clone(),
            move |event| {
                if let Some(work) = work.upgrade() {
                    work.on_cache(&told_member, &event);
                }
            },
        )
    }

    fn on_cache(&self, member: &Member, event: &CacheEvent) {
        match event {
            CacheEvent::Object { key, live } => {
                let cells = self.context.cells.all();
                let cells = cells.iter().map(|(_, cell)| cell.as_ref());
                let priority = if *live {
                    Priority::Live
                } else {
                    Priority::Backlog
                };
                for key in self.residence.federated_keys(member.name(), key, cells) {
                    self.queue.add(key, priority);
                }
            }
            CacheEvent::State => {
                let state = self.caches.get(member.name()).map(|cache| cache.state());
                match (state, member.state()) {
                    (Some(CacheState::Waiting), _) => {}
                    (
                        Some(CacheState::Synced),
                        MemberState::Ready {
                            recovered: true,
                            since,
                            ..
                        },
                    ) => {
                        let delay = self.context.settings.delays.available;
                        self.queue_all(delay.saturating_sub(since.elapsed()));
                    }
                    _ => self.queue_all(Duration::ZERO),
                }
            }
        }
    }

    fn queue_all(&self, delay: Duration) {
        for key in self.objects.keys() {
            self.queue.add_after(key, delay, Priority::Backlog);
        }
    }
}

/// True if the change is more than our own status write.
fn asks_for_more(old: &JsonObject, new: &JsonObject) -> bool {
    let differs = |pointer: &str| old.at(pointer) != new.at(pointer);
    [
        "/metadata/uid",
        "/metadata/generation",
        "/metadata/deletionTimestamp",
        "/metadata/finalizers",
    ]
    .into_iter()
    .chain(["/metadata/annotations", "/metadata/labels", "/spec"])
    .any(differs)
}

/// True if the status is another than the one held here so far. Our own writes are taken in at once; when one could not be,
/// because the object was edited at that moment, a decision since then compared itself with a status that was not there any
/// more. Whoever else writes a status is corrected.
fn says_otherwise(old: &JsonObject, new: &JsonObject) -> bool {
    old.at("/status") != new.at("/status")
}

pub(super) fn trim_federated(object: &mut JsonObject) {
    if let Some(metadata) = object.value_mut()["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn our_own_status_writes_wake_nobody() {
        let object = |generation: i64, status: &str| {
            JsonObject::new(json!({
                "metadata": {"name": "a", "generation": generation, "resourceVersion": status},
                "spec": {}, "status": {"x": status},
            }))
        };
        assert!(!asks_for_more(&object(1, "1"), &object(1, "2")));
        assert!(asks_for_more(&object(1, "1"), &object(2, "2")));
        let mut labelled = object(1, "3");
        labelled.value_mut()["metadata"]["labels"] = json!({"a": "b"});
        assert!(asks_for_more(&object(1, "1"), &labelled));
    }
}
