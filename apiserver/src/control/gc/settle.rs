//! One look at one object: as an owner that waits, or as a dependent.

use std::sync::Arc;

use apiserver_store::Key;
use serde_json::{Value, json};

use super::owners::{self, Owners, classify};
use crate::control::served;
use crate::local::{Gvr, LocalClient};
use crate::object::{self, Obj};
use crate::status::ApiError;
use crate::verbs::{FOREGROUND, ORPHAN};

/// Does what is due for the object now.
pub(super) async fn settle(client: &LocalClient, key: &Key) -> Result<(), ApiError> {
    let api = client.api();
    api.cache.fresh().await?;
    let kinds = api.registry.kinds();
    let (Some(object), Some(kind)) = (
        api.cache.get_key(key),
        kinds.by_store_resource(&key.resource),
    ) else {
        return Ok(());
    };
    let gvr = served(kind)?;
    if object.meta.deletion_timestamp.is_some() {
        if object.meta.finalizers.iter().any(|f| f == ORPHAN) {
            return orphan(client, gvr, &object).await;
        }
        if owners::waits(&object) {
            return await_dependents(client, gvr, &object).await;
        }
        return Ok(());
    }
    match decide(&classify(api, &object), &object, api) {
        Step::Nothing => Ok(()),
        Step::Forget(uids) => {
            let keep = |owner: &Value| !uids.iter().any(|uid| owner["uid"] == **uid);
            edit_owners(client, gvr, &object, |owners| owners.retain(&keep)).await
        }
        Step::Delete(policy) => delete(client, gvr, &object, policy).await,
        Step::UnblockAndDelete => {
            let unblock = |owners: &mut Vec<Value>| {
                for owner in owners {
                    owner["blockOwnerDeletion"] = false.into();
                }
            };
            edit_owners(client, gvr, &object, unblock).await?;
            delete(client, gvr, &object, "Foreground").await
        }
    }
}

/// What is due for a dependent.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Its owners are fine.
    Nothing,
    /// It outlives these owners.
    Forget(Vec<String>),
    /// It goes, with this propagation policy.
    Delete(&'static str),
    /// It goes in the foreground, in a circle of owners that would otherwise wait for each other.
    UnblockAndDelete,
}

fn decide(owners: &Owners, object: &Obj, api: &crate::api::Api) -> Step {
    if !owners.solid.is_empty() {
        let leaving: Vec<String> = [&*owners.dangling, &*owners.waiting].concat();
        return if leaving.is_empty() {
            Step::Nothing
        } else {
            Step::Forget(leaving)
        };
    }
    if owners.dangling.is_empty() && owners.waiting.is_empty() {
        return Step::Nothing;
    }
    let dependents = api.cache.dependents(&object.meta.uid);
    if !owners.waiting.is_empty() && !dependents.is_empty() {
        let circle = dependents.iter().any(|dependent| owners::waits(dependent));
        return if circle {
            Step::UnblockAndDelete
        } else {
            Step::Delete("Foreground")
        };
    }
    let has = |finalizer: &str| object.meta.finalizers.iter().any(|f| f == finalizer);
    Step::Delete(if has(ORPHAN) {
        "Orphan"
    } else if has(FOREGROUND) {
        "Foreground"
    } else {
        "Background"
    })
}

async fn delete(
    client: &LocalClient,
    gvr: Gvr<'_>,
    object: &Obj,
    policy: &str,
) -> Result<(), ApiError> {
    // Whoever changed it meanwhile may have given it another owner.
    let options = json!({
        "propagationPolicy": policy,
        "preconditions": {"uid": object.meta.uid, "resourceVersion": object.revision.to_string()},
    });
    let deleted = client.delete(gvr, object.namespace(), object.name(), &options);
    gone_is_fine(deleted.await)
}

fn gone_is_fine<T>(result: Result<T, ApiError>) -> Result<(), ApiError> {
    match result {
        Err(error) if error.reason != "NotFound" => Err(error),
        _ => Ok(()),
    }
}

/// Changes the owner references of an object that nobody changed since it was looked at.
async fn edit_owners(
    client: &LocalClient,
    gvr: Gvr<'_>,
    object: &Arc<Obj>,
    edit: impl FnOnce(&mut Vec<Value>),
) -> Result<(), ApiError> {
    let mut value = client.get(gvr, object.namespace(), object.name()).await?;
    if object::meta_str(&value, "uid") != object.meta.uid {
        return Ok(());
    }
    let metadata = object::metadata_mut(&mut value);
    if let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences") {
        edit(owners);
        if owners.is_empty() {
            metadata.remove("ownerReferences");
        }
    }
    gone_is_fine(client.update(gvr, &value).await)
}

/// Takes a finalizer of the collector off.
async fn release(
    client: &LocalClient,
    gvr: Gvr<'_>,
    object: &Obj,
    finalizer: &str,
) -> Result<(), ApiError> {
    let mut value = client.get(gvr, object.namespace(), object.name()).await?;
    if object::meta_str(&value, "uid") != object.meta.uid {
        return Ok(());
    }
    let metadata = object::metadata_mut(&mut value);
    if let Some(Value::Array(finalizers)) = metadata.get_mut("finalizers") {
        finalizers.retain(|one| one != finalizer);
    }
    gone_is_fine(client.update(gvr, &value).await)
}

/// Takes the owner out of its dependents' references, then lets it go.
async fn orphan(client: &LocalClient, gvr: Gvr<'_>, owner: &Arc<Obj>) -> Result<(), ApiError> {
    let api = client.api();
    let kinds = api.registry.kinds();
    for dependent in api.cache.dependents(&owner.meta.uid) {
        let Some(kind) = kinds.by_store_resource(&dependent.key.resource) else {
            continue;
        };
        let keep = |reference: &Value| reference["uid"] != *owner.meta.uid;
        edit_owners(client, served(kind)?, &dependent, |owners| {
            owners.retain(keep);
        })
        .await
        .or_else(|error| gone_is_fine::<()>(Err(error)))?;
    }
    release(client, gvr, owner, ORPHAN).await
}

/// Deletes the dependents of an owner that is deleted in the foreground, and lets it go once none blocks it.
async fn await_dependents(
    client: &LocalClient,
    gvr: Gvr<'_>,
    owner: &Arc<Obj>,
) -> Result<(), ApiError> {
    let api = client.api();
    let dependents = api.cache.dependents(&owner.meta.uid);
    let blocks = |dependent: &Arc<Obj>| {
        dependent.meta.owner_references.iter().any(|reference| {
            reference.uid == owner.meta.uid && reference.block_owner_deletion == Some(true)
        })
    };
    let mut first_error = None;
    for dependent in &dependents {
        if dependent.meta.deletion_timestamp.is_none() {
            // Its own look says how: it may have other owners.
            let looked = Box::pin(settle(client, &dependent.key)).await;
            first_error = first_error.or(looked.err());
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    api.cache.fresh().await?;
    let left = api.cache.dependents(&owner.meta.uid);
    if left.iter().any(blocks) {
        return Ok(());
    }
    release(client, gvr, owner, FOREGROUND).await
}
