//! Every change of an existing object, tried on newer objects until it is the first.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::pipeline::Write;
use super::swap::{Swap, Then};
use crate::admit::Operation;
use crate::convert;
use crate::object::{self, Obj};
use crate::status::ApiError;
use crate::verbs::{Body, Reply};

/// What part of an object a request may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything but `status`, if that is a subresource.
    Main,
    /// Only `status`.
    Status,
    /// Only `spec.finalizers` (of namespaces).
    Finalize,
}

/// A change as a function of the current object, in the version of the request.
pub(super) trait Change: Send + Sync {
    /// The object that is wanted. Called again on a newer object when somebody else was faster.
    ///
    /// # Errors
    /// The change does not fit the object.
    fn wanted(&self, current: &Value) -> Result<Value, ApiError>;

    /// May the wanted object lack a `resourceVersion`?
    fn unconditional(&self) -> bool;
}

/// As [`run`], as the answer to the client.
///
/// # Errors
/// As [`run`].
pub(super) async fn reply(
    write: &Write<'_>,
    name: &str,
    part: Part,
    change: &dyn Change,
) -> Result<Reply, ApiError> {
    let body = match run(write, name, part, change).await? {
        Done::Stored(object) => Body::Stored(object),
        Done::DryRun(value) => Body::Value(value),
    };
    Ok(Reply::Object {
        code: StatusCode::OK,
        kind: write.kind.clone(),
        version: write.version.name.clone(),
        body,
    })
}

/// The outcome of a change.
pub(super) enum Done {
    Stored(Arc<Obj>),
    DryRun(Value),
}

/// Makes the change durable, unless it is a dry run.
///
/// # Errors
/// 404 if there is no such object; 409 if the change names a `resourceVersion` or uid that is not current, or loses too
/// often; what the change, the pipeline and the store say.
pub(super) async fn run(
    write: &Write<'_>,
    name: &str,
    part: Part,
    change: &dyn Change,
) -> Result<Done, ApiError> {
    let mut swap = Swap::begin(write, name).await?;
    loop {
        let now = swap.current()?;
        if let Some(done) = attempt(write, &mut swap, &now, part, change).await? {
            return Ok(done);
        }
    }
}

/// One attempt; nothing if somebody else was faster and the client did not name the revision that it saw.
async fn attempt(
    write: &Write<'_>,
    swap: &mut Swap<'_>,
    now: &Arc<Obj>,
    part: Part,
    change: &dyn Change,
) -> Result<Option<Done>, ApiError> {
    let old = at_version(write, now).await?;
    let mut value = change.wanted(&old)?;
    let conditional = check_preconditions(write, now, &value, change.unconditional())?;
    carry_over(write, &mut value, &old, part);
    write.version.schema.default_fields(&mut value);
    write
        .kind
        .strategy
        .prepare_update(&mut value, &old, &write.strategy_context());
    write
        .mutate(Operation::Update, &mut value, Some(&old))
        .await?;
    bump_generation(write, &mut value, &old);
    write
        .validate(Operation::Update, &value, Some(&old))
        .await?;
    let gone = object::is_terminating(&value)
        && object::finalizers(&value).is_empty()
        && !write.kind.strategy.holds_deletion(&value);
    if write.dry_run {
        object::set_meta_str(&mut value, "resourceVersion", &now.revision.to_string());
        return Ok(Some(Done::DryRun(value)));
    }
    let bytes = write.stored_bytes(value).await?;
    let then = if gone { Then::Gone } else { Then::Stays };
    let stored = swap.commit(now, bytes, then).await?;
    if stored.is_none() && conditional && swap.is_there() {
        return Err(write.modified(now.name()));
    }
    Ok(stored.map(Done::Stored))
}

/// The stored object in the version of the request.
///
/// # Errors
/// 500 if it cannot be converted.
pub(super) async fn at_version(write: &Write<'_>, now: &Arc<Obj>) -> Result<Value, ApiError> {
    let bytes = convert::view_one(write.api, write.kind, &write.version.name, now).await?;
    serde_json::from_slice(&bytes).map_err(ApiError::internal)
}

/// Checks name, namespace, uid and `resourceVersion` of the wanted object; gives whether it names a revision.
fn check_preconditions(
    write: &Write<'_>,
    now: &Obj,
    value: &Value,
    unconditional: bool,
) -> Result<bool, ApiError> {
    let kind = write.kind;
    let uid = object::meta_str(value, "uid");
    if !uid.is_empty() && uid != now.meta.uid {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            now.meta.uid
        );
        return Err(ApiError::conflict(
            &kind.group,
            &kind.plural,
            now.name(),
            &why,
        ));
    }
    let revision = object::meta_str(value, "resourceVersion");
    if revision.is_empty() || revision == "0" {
        if unconditional {
            return Ok(false);
        }
        let error = crate::status::FieldError::new(
            crate::status::FieldErrorKind::Invalid,
            "metadata.resourceVersion",
            "0",
            "must be specified for an update",
        );
        return Err(ApiError::invalid(
            &kind.group,
            // Upstream names the resource here, not the kind.
            &kind.plural,
            now.name(),
            &[error],
        ));
    }
    if revision.parse::<u64>().is_err() {
        let why = format!("strconv.ParseUint: parsing {revision:?}: invalid syntax");
        Err(ApiError::unexplained(why))
    } else if revision == now.revision.to_string() {
        Ok(true)
    } else {
        Err(write.modified(now.name()))
    }
}

/// Puts back what the request may not change.
fn carry_over(write: &Write<'_>, value: &mut Value, old: &Value, part: Part) {
    match part {
        Part::Main => {
            if write.version.status {
                restore(value, old, "status");
            }
        }
        Part::Status => {
            let status = value.get("status").cloned();
            *value = old.clone();
            replace(value, "status", status);
        }
        Part::Finalize => {
            let finalizers = value.pointer("/spec/finalizers").cloned();
            *value = old.clone();
            if !value["spec"].is_object() {
                value["spec"] = Value::Object(serde_json::Map::new());
            }
            replace(&mut value["spec"], "finalizers", finalizers);
        }
    }
    let before = object::metadata(old).cloned().unwrap_or_default();
    let metadata = object::metadata_mut(value);
    metadata.remove("resourceVersion");
    metadata.remove("managedFields");
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        // Left out is as it was; another one is for the validation to refuse.
        if let (None, Some(kept)) = (metadata.get(field), before.get(field)) {
            metadata.insert(field.to_owned(), kept.clone());
        }
    }
    for field in ["uid", "creationTimestamp", "generation"] {
        match before.get(field) {
            Some(kept) => metadata.insert(field.to_owned(), kept.clone()),
            None => metadata.remove(field),
        };
    }
}

fn restore(value: &mut Value, old: &Value, field: &str) {
    replace(value, field, old.get(field).cloned());
}

fn replace(value: &mut Value, field: &str, with: Option<Value>) {
    if let Some(fields) = value.as_object_mut() {
        match with {
            Some(kept) => fields.insert(field.to_owned(), kept),
            None => fields.remove(field),
        };
    }
}

/// `generation` counts changes of what is wanted: of everything outside metadata, and outside `status` where that is
/// a subresource. Built-in kinds count their `spec` alone.
fn bump_generation(write: &Write<'_>, value: &mut Value, old: &Value) {
    if !write.kind.strategy.tracks_generation() {
        return;
    }
    let changed = if write.kind.is_custom() {
        let skip_status = write.version.status;
        intent(value, skip_status).ne(intent(old, skip_status))
    } else {
        let annotated = write.kind.strategy.annotations_are_intent()
            && value.pointer("/metadata/annotations") != old.pointer("/metadata/annotations");
        annotated || value.get("spec") != old.get("spec")
    };
    if changed {
        let next = object::generation(old) + 1;
        object::metadata_mut(value).insert("generation".to_owned(), next.into());
    }
}

fn intent(value: &Value, skip_status: bool) -> impl Iterator<Item = (&String, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter(move |(field, _)| {
            !(matches!(field.as_str(), "metadata" | "apiVersion" | "kind")
                || (skip_status && *field == "status"))
        })
}
