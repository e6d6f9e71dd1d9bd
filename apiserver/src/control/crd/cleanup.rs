//! The objects of a definition that goes, and at last the definition itself.

use std::sync::Arc;

use apiserver_store::{Action, CommitError, Expect, Mutation};
use futures::future::join_all;
use serde_json::Value;

use crate::api::Api;
use crate::kinds::custom::CRD_FINALIZER;
use crate::object::{Obj, encode, finalizers, generation, metadata_mut};

/// Objects that are written at once: enough for the store to group them.
const TOGETHER: usize = 64;

/// Deletes what can be deleted of a resource and marks the rest. `true` if there was nothing left to delete: the events
/// of the deletions lead to another look.
pub(super) async fn delete_instances(api: &Api, resource: &str) -> bool {
    if api.cache.fresh().await.is_err() {
        return false;
    }
    let objects: Vec<Arc<Obj>> = api.cache.list(resource).objects.values().cloned().collect();
    let writes: Vec<Mutation> = objects
        .iter()
        .filter_map(|object| delete_or_mark(api, object))
        .collect();
    for chunk in writes.chunks(TOGETHER) {
        join_all(chunk.iter().map(|write| commit(api, write.clone()))).await;
    }
    objects.is_empty()
}

/// Removes every object of a resource, whatever holds it: they belong to a definition that is long gone.
pub(super) async fn purge(api: &Api, resource: &str) {
    let objects: Vec<Arc<Obj>> = api.cache.list(resource).objects.values().cloned().collect();
    if objects.is_empty() {
        return;
    }
    tracing::warn!(
        resource,
        count = objects.len(),
        "removing objects that an earlier definition left behind"
    );
    let writes: Vec<Mutation> = objects
        .iter()
        .map(|object| deletion(object, &object.to_value()))
        .collect();
    for chunk in writes.chunks(TOGETHER) {
        join_all(chunk.iter().map(|write| commit(api, write.clone()))).await;
    }
}

/// Takes the cleanup finalizer off a definition, which deletes it if it was the last.
pub(super) async fn release(api: &Api, definition: &Obj) {
    let mut crd = definition.to_value();
    let rest: Vec<Value> = finalizers(&crd)
        .into_iter()
        .filter(|one| *one != CRD_FINALIZER)
        .map(Value::from)
        .collect();
    let write = if rest.is_empty() {
        metadata_mut(&mut crd).remove("finalizers");
        deletion(definition, &crd)
    } else {
        metadata_mut(&mut crd).insert("finalizers".to_owned(), rest.into());
        put(definition, &crd)
    };
    commit(api, write).await;
}

/// Replaces an object that nobody changed meanwhile.
pub(super) fn put(object: &Obj, value: &Value) -> Mutation {
    Mutation {
        key: object.key.clone(),
        expect: Expect::Revision(object.revision),
        action: Action::Put(encode(value)),
    }
}

fn deletion(object: &Obj, last: &Value) -> Mutation {
    Mutation {
        key: object.key.clone(),
        expect: Expect::Revision(object.revision),
        action: Action::Delete(encode(last)),
    }
}

/// `None` if the object is marked already and waits for its finalizers.
fn delete_or_mark(api: &Api, object: &Obj) -> Option<Mutation> {
    if object.meta.finalizers.is_empty() {
        return Some(deletion(object, &object.to_value()));
    }
    if object.meta.deletion_timestamp.is_some() {
        return None;
    }
    let mut value = object.to_value();
    let next = generation(&value) + 1;
    let metadata = metadata_mut(&mut value);
    metadata.insert(
        "deletionTimestamp".to_owned(),
        api.seams.now_rfc3339().into(),
    );
    metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
    metadata.insert("generation".to_owned(), next.into());
    Some(put(object, &value))
}

/// Writes; `false` if the object changed meanwhile or the store is not available, upon which the next pass tries again.
pub(super) async fn commit(api: &Api, write: Mutation) -> bool {
    let key = write.key.clone();
    match api.store.commit(write).await {
        Ok(_) => true,
        Err(CommitError::Conflict { .. }) => false,
        Err(error) => {
            tracing::warn!(%key, error = &error as &dyn std::error::Error, "the CRD controller cannot write");
            false
        }
    }
}
