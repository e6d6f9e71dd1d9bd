//! Owner references: what an owner's deletion means for its dependents
//! (`k8s.io/kubernetes/pkg/controller/garbagecollector`).
//!
//! An object whose owners are all gone is deleted. An owner that is deleted in the foreground waits for the dependents
//! that block it; one that orphans its dependents takes itself out of their references first. Owners are found by their
//! place and counted by their uid; an owner whose kind is not served counts as present, so that nothing is deleted
//! because a definition is missing for a while.

mod owners;
mod settle;
#[cfg(test)]
mod tests;

use apiserver_store::{ChangeKind, Key};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::work::{self, Worker};
use crate::cache::Event;
use crate::local::LocalClient;
use crate::object::Obj;
use crate::status::ApiError;
use crate::verbs::{FOREGROUND, ORPHAN};

/// Runs until `stop`.
pub(crate) async fn run(client: LocalClient, stop: CancellationToken) {
    let cache = client.api().cache.clone();
    work::run(Collector { client }, cache, stop).await;
}

struct Collector {
    client: LocalClient,
}

/// Must the collector look at an object?
fn concerns(object: &Obj) -> bool {
    !object.meta.owner_references.is_empty() || holds_itself(object)
}

/// Does an object that is being deleted wait for the collector?
fn holds_itself(object: &Obj) -> bool {
    let finalizers = &object.meta.finalizers;
    object.meta.deletion_timestamp.is_some()
        && finalizers.iter().any(|f| f == ORPHAN || f == FOREGROUND)
}

#[async_trait]
impl Worker for Collector {
    type Key = Key;

    fn touched(&self, event: &Event) -> Vec<Key> {
        let object = &event.object;
        let cache = &self.client.api().cache;
        let mut keys = Vec::new();
        if event.kind != ChangeKind::Deleted {
            if concerns(object) {
                keys.push(object.key.clone());
            }
        } else {
            let dependents = cache.dependents(&object.meta.uid);
            keys.extend(dependents.iter().map(|dependent| dependent.key.clone()));
        }
        // An owner may wait for this object to go, or to name it no more.
        let before = event.previous.as_ref().unwrap_or(object);
        for reference in &before.meta.owner_references {
            keys.extend(
                owners::find(self.client.api(), before, reference)
                    .filter(|owner| holds_itself(owner))
                    .map(|owner| owner.key.clone()),
            );
        }
        keys
    }

    fn all(&self) -> Vec<Key> {
        let all = self.client.api().cache.all();
        all.iter()
            .flat_map(|(_, snapshot)| snapshot.objects.values())
            .filter(|object| concerns(object))
            .map(|object| object.key.clone())
            .collect()
    }

    async fn settle(&self, key: &Key) -> Result<(), ApiError> {
        settle::settle(&self.client, key).await
    }
}
