//! POST: a new object.

use std::sync::Arc;

use apiserver_store::{Action, CommitError, Expect, Key, Mutation, Record};
use http::StatusCode;
use serde_json::Value;

use super::body::{object_of, settle_namespace};
use super::meta::generate_name;
use super::options::WriteOptions;
use super::pipeline::Write;
use crate::admit::Operation;
use crate::api::Api;
use crate::kinds::Kind;
use crate::object::{self, Obj};
use crate::request::Request;
use crate::status::ApiError;
use crate::verbs::{Body, Reply};

/// How many generated names are tried (`RetryGenerateName`).
const NAME_TRIES: usize = 8;

/// Creates the object in the body. A `generateName` gets a random suffix, another one if it is taken.
///
/// # Errors
/// 400 and 415 for the body, 422 for the object, 409 `AlreadyExists`, and whatever admission says.
pub async fn create(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let options = WriteOptions::of(request, "CreateOptions")?;
    let write = Write::new(api, request, kind, version, options.dry_run)?;
    let mut value = object_of(request, kind, write.version, options.field_validation)?;
    settle_namespace(&mut value, request, kind)?;
    if !object::meta_str(&value, "resourceVersion").is_empty() {
        // No reason: upstream lets this error of its storage through as it is.
        return Err(ApiError::unexplained(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let generated = object::name(&value).is_empty();
    let base = object::meta_str(&value, "generateName").to_owned();
    let mut last = ApiError::already_exists(&kind.group, &kind.plural, &base);
    for _ in 0..NAME_TRIES {
        let mut attempt = value.clone();
        if generated && !base.is_empty() {
            let name = generate_name(&base, api.seams.random());
            object::set_meta_str(&mut attempt, "name", &name);
        }
        match store(&write, attempt).await? {
            Outcome::Created(reply) => return Ok(reply),
            Outcome::Taken(error) if !generated || base.is_empty() => return Err(error),
            Outcome::Taken(error) => last = error,
        }
    }
    last.message
        .push_str(", the server was not able to generate a unique name for the object");
    Err(last.retry_after(1))
}

enum Outcome {
    Created(Reply),
    Taken(ApiError),
}

async fn store(write: &Write<'_>, mut value: Value) -> Result<Outcome, ApiError> {
    let kind = write.kind;
    prepare(write, &mut value);
    write.mutate(Operation::Create, &mut value, None).await?;
    write.validate(Operation::Create, &value, None).await?;
    let key = Key::new(
        kind.resource.clone(),
        object::namespace(&value),
        object::name(&value),
    );
    if write.dry_run {
        write.api.cache.fresh().await?;
        if let Some(current) = write.api.cache.get_key(&key) {
            return Ok(Outcome::Taken(taken(kind, &current)));
        }
        return Ok(Outcome::Created(reply(write, Body::Value(value))));
    }
    let bytes = write.stored_bytes(value).await?;
    let mutation = Mutation {
        key: key.clone(),
        expect: Expect::Absent,
        action: Action::Put(bytes.clone()),
    };
    match write.api.store.commit(mutation).await {
        Ok(revision) => {
            let stored = Obj::from_store(key, revision, &bytes).map_err(ApiError::internal)?;
            Ok(Outcome::Created(reply(
                write,
                Body::Stored(Arc::new(stored)),
            )))
        }
        Err(CommitError::Conflict { current }) => {
            Ok(Outcome::Taken(conflict(kind, &key, current.as_ref())))
        }
        Err(error) => Err(super::swap::store_error(error)),
    }
}

/// What the server itself decides about a new object.
fn prepare(write: &Write<'_>, value: &mut Value) {
    let kind = write.kind;
    let seams = &write.api.seams;
    if write.version.status
        && let Some(fields) = value.as_object_mut()
    {
        fields.remove("status");
    }
    let metadata = object::metadata_mut(value);
    for field in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
    ] {
        metadata.remove(field);
    }
    metadata.insert("uid".to_owned(), seams.uid().into());
    metadata.insert("creationTimestamp".to_owned(), seams.now_rfc3339().into());
    if kind.strategy.tracks_generation() {
        metadata.insert("generation".to_owned(), 1.into());
    }
    let mut finalizers: Vec<String> = object::finalizers(value)
        .into_iter()
        .map(str::to_owned)
        .collect();
    for finalizer in kind.strategy.initial_finalizers() {
        if !finalizers.iter().any(|present| present == finalizer) {
            finalizers.push((*finalizer).to_owned());
        }
    }
    if !finalizers.is_empty() {
        object::metadata_mut(value).insert("finalizers".to_owned(), finalizers.into());
    }
    write.version.schema.default_fields(value);
    kind.strategy
        .prepare_create(value, &write.strategy_context());
}

fn conflict(kind: &Kind, key: &Key, current: Option<&Record>) -> ApiError {
    match current.and_then(|record| Obj::from_record(record).ok()) {
        Some(current) => taken(kind, &current),
        None => ApiError::already_exists(&kind.group, &kind.plural, &key.name),
    }
}

fn taken(kind: &Kind, current: &Obj) -> ApiError {
    let mut error = ApiError::already_exists(&kind.group, &kind.plural, current.name());
    if current.meta.deletion_timestamp.is_some() {
        error.message = format!("object is being deleted: {}", error.message);
    }
    error
}

fn reply(write: &Write<'_>, body: Body) -> Reply {
    Reply::Object {
        code: StatusCode::CREATED,
        kind: write.kind.clone(),
        version: write.version.name.clone(),
        body,
    }
}
