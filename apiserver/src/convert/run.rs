//! The way of objects from the stored form to the version of a request, and back.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::batch;
use crate::api::Api;
use crate::kinds::{Kind, KindVersion};
use crate::object::{Obj, encode, splice_revision};
use crate::status::ApiError;

/// The objects at a version of their kind, in order, as JSON with `resourceVersion`.
///
/// Custom resources are defaulted and pruned by the schema of that version, whatever schema they were stored under;
/// built-in objects are given as stored. Outcomes are kept with the objects, so that asking again is free. All objects
/// that need a converter go to it in one call.
///
/// # Errors
/// 500 if conversion fails: one object that cannot be converted fails the whole call.
pub async fn view(
    api: &Api,
    kind: &Kind,
    version: &str,
    objects: &[Arc<Obj>],
) -> Result<Vec<Bytes>, ApiError> {
    let target = target(kind, version)?;
    let api_version = kind.api_version(version);
    let as_stored = |object: &Obj| !kind.is_custom() && object.api_version == api_version;
    let mut done: Vec<Option<Bytes>> = objects
        .iter()
        .map(|object| {
            if as_stored(object) {
                return Some(object.bytes.clone());
            }
            object.memo.get(kind.epoch, version)
        })
        .collect();
    let missing: Vec<usize> = (0..objects.len()).filter(|i| done[*i].is_none()).collect();
    let values = missing.iter().map(|i| objects[*i].to_value()).collect();
    let converted = batch::convert(api, kind, values, target).await?;
    for (index, value) in missing.into_iter().zip(converted) {
        let object = &objects[index];
        let bytes = splice_revision(&encode(&value), object.revision);
        // Most objects were stored as they are served: share their bytes instead of holding them twice.
        let bytes = if bytes == object.bytes {
            object.bytes.clone()
        } else {
            bytes
        };
        object.memo.put(kind.epoch, &target.name, bytes.clone());
        done[index] = Some(bytes);
    }
    Ok(done.into_iter().flatten().collect())
}

/// As [`view`], for one object.
///
/// # Errors
/// As [`view`].
pub async fn view_one(
    api: &Api,
    kind: &Kind,
    version: &str,
    object: &Arc<Obj>,
) -> Result<Bytes, ApiError> {
    let mut all = view(api, kind, version, std::slice::from_ref(object)).await?;
    all.pop()
        .ok_or_else(|| ApiError::internal("a view of one object gave none"))
}

/// One object at another version of its kind, defaulted and pruned by that version's schema if it is a custom
/// resource. An object already at the version comes back as it is.
///
/// # Errors
/// 500 if conversion fails.
pub async fn to_version(
    api: &Api,
    kind: &Kind,
    object: Value,
    version: &str,
) -> Result<Value, ApiError> {
    let target = target(kind, version)?;
    if object.get("apiVersion").and_then(Value::as_str) == Some(&*kind.api_version(version)) {
        return Ok(object);
    }
    one(batch::convert(api, kind, vec![object], target).await?)
}

/// One object in the form in which it is stored: at the kind's storage version, and for `events.k8s.io` as the core
/// group's Event.
///
/// # Errors
/// 500 if conversion fails.
pub async fn to_storage(api: &Api, kind: &Kind, object: Value) -> Result<Value, ApiError> {
    if let Some(stored) = super::events::to_storage(kind, &object) {
        return Ok(stored);
    }
    let version = kind.storage_version().name.clone();
    to_version(api, kind, object, &version).await
}

fn one(mut objects: Vec<Value>) -> Result<Value, ApiError> {
    objects
        .pop()
        .ok_or_else(|| ApiError::internal("a conversion of one object gave none"))
}

/// Also versions that are not served: the stored one may be one of them.
fn target<'a>(kind: &'a Kind, version: &str) -> Result<&'a KindVersion, ApiError> {
    let found = kind.versions.iter().find(|known| &*known.name == version);
    found.ok_or_else(|| ApiError::internal(format!("{kind:?} has no version {version}")))
}
