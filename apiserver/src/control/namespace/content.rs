//! Everything in a namespace, of every kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;

use crate::control::served;
use crate::kinds::Kind;
use crate::local::LocalClient;
use crate::object::Obj;
use crate::status::{ApiError, qualified};

/// Objects that are deleted at once: enough for the store to group them.
const TOGETHER: usize = 64;

/// What a namespace still holds after its content was deleted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// How many objects of each resource, such as `deployments.apps`.
    pub(super) resources: BTreeMap<String, usize>,
    /// How many objects each finalizer holds.
    pub(super) finalizers: BTreeMap<String, usize>,
    /// The first deletion that failed.
    pub(super) error: Option<ApiError>,
}

impl Left {
    pub(super) fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.error.is_none()
    }
}

/// Deletes what is there and is not being deleted yet; says what is left.
pub(super) async fn delete(client: &LocalClient, namespace: &str) -> Left {
    let mut left = Left::default();
    let doomed: Vec<(Arc<Kind>, Arc<Obj>)> = objects(client, namespace)
        .into_iter()
        .filter(|(_, object)| object.meta.deletion_timestamp.is_none())
        .collect();
    for chunk in doomed.chunks(TOGETHER) {
        let deletions = chunk
            .iter()
            .map(|(kind, object)| delete_one(client, kind, object));
        for result in join_all(deletions).await {
            left.error = left.error.or(result.err());
        }
    }
    if let Err(error) = client.api().cache.fresh().await {
        left.error.get_or_insert(error);
    }
    for (kind, object) in objects(client, namespace) {
        let resource = qualified(&kind.group, &kind.plural);
        *left.resources.entry(resource).or_default() += 1;
        for finalizer in &object.meta.finalizers {
            *left.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
    }
    left
}

fn objects(client: &LocalClient, namespace: &str) -> Vec<(Arc<Kind>, Arc<Obj>)> {
    let api = client.api();
    let kinds = api.registry.kinds();
    let mut found = Vec::new();
    for (resource, snapshot) in api.cache.all() {
        let Some(kind) = kinds.by_store_resource(&resource) else {
            continue;
        };
        if !kind.namespaced() {
            continue;
        }
        let objects = snapshot.range(Some(namespace), None);
        found.extend(objects.map(|object| (kind.clone(), object.clone())));
    }
    found
}

async fn delete_one(client: &LocalClient, kind: &Kind, object: &Obj) -> Result<(), ApiError> {
    let options = json!({
        "propagationPolicy": "Background",
        "preconditions": {"uid": object.meta.uid},
    });
    let deleted = client
        .delete(served(kind)?, object.namespace(), object.name(), &options)
        .await;
    match deleted {
        Err(error) if error.reason != "NotFound" && error.reason != "Conflict" => Err(error),
        _ => Ok(()),
    }
}
