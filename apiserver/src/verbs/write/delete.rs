//! DELETE of one object.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::change::at_version;
use super::pipeline::Write;
use super::swap::{Swap, Then};
use super::{FOREGROUND, ORPHAN};
use crate::api::Api;
use crate::codec::decode::{Expected, decode_kind};
use crate::kinds::Kind;
use crate::object::{self, Obj};
use crate::request::Request;
use crate::status::{ApiError, FieldError, FieldErrorKind};
use crate::verbs::{Body, Reply};

/// What becomes of the objects that the deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Propagation {
    /// They go after it. The default.
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawOptions {
    propagation_policy: Option<String>,
    orphan_dependents: Option<bool>,
    preconditions: Option<Preconditions>,
    dry_run: Vec<String>,
}

/// What must hold for the deletion to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

/// `metav1.DeleteOptions` from body and query. Grace periods are read over: there is no kubelet that could use the
/// time, so every deletion is immediate.
#[derive(Clone, Debug)]
pub(super) struct DeleteOptions {
    pub(super) dry_run: bool,
    propagation: Option<Propagation>,
    preconditions: Preconditions,
}

impl DeleteOptions {
    /// # Errors
    /// 400 for a body that does not parse, 415 for its encoding, 422 for unknown values.
    pub(super) fn of(request: &Request) -> Result<Self, ApiError> {
        let mut raw = RawOptions::default();
        if !request.body.is_empty() {
            let expected = Expected {
                api_version: "v1",
                kind: "DeleteOptions",
            };
            let value = decode_kind(&request.content_type, &request.body, expected)?;
            raw = serde_json::from_value(value).map_err(|error| {
                ApiError::bad_request(format!("cannot read DeleteOptions: {error}"))
            })?;
        } else {
            raw.propagation_policy = request.query.get("propagationPolicy").map(str::to_owned);
            raw.orphan_dependents = request
                .query
                .get("orphanDependents")
                .map(|_| request.query.flag("orphanDependents"));
        }
        if let Some(dry_run) = request.query.get("dryRun").filter(|d| !d.is_empty()) {
            raw.dry_run.push(dry_run.to_owned());
        }
        let mut errors = Vec::new();
        for value in raw.dry_run.iter().filter(|value| *value != "All") {
            let all = format!("[\"{value}\"]");
            errors.push(FieldError::new(
                FieldErrorKind::NotSupported,
                "dryRun",
                all,
                "supported values: \"All\"",
            ));
        }
        let propagation = match (raw.propagation_policy.as_deref(), raw.orphan_dependents) {
            (Some(policy), Some(_)) => {
                errors.push(FieldError::invalid(
                    "propagationPolicy",
                    &policy.into(),
                    "orphanDependents and deletionPropagation cannot be both set",
                ));
                None
            }
            (None, None) => None,
            (None, Some(true)) | (Some("Orphan"), None) => Some(Propagation::Orphan),
            (None, Some(false)) | (Some("Background"), None) => Some(Propagation::Background),
            (Some("Foreground"), None) => Some(Propagation::Foreground),
            (Some(other), None) => {
                errors.push(unsupported(
                    "propagationPolicy",
                    other,
                    "\"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                ));
                None
            }
        };
        if !errors.is_empty() {
            return Err(ApiError::invalid(
                "meta.k8s.io",
                "DeleteOptions",
                "",
                &errors,
            ));
        }
        Ok(Self {
            dry_run: !raw.dry_run.is_empty(),
            propagation,
            preconditions: raw.preconditions.unwrap_or_default(),
        })
    }
}

fn unsupported(path: &str, value: &str, supported: &str) -> FieldError {
    FieldError::new(
        FieldErrorKind::NotSupported,
        path,
        format!("\"{value}\""),
        format!("supported values: {supported}"),
    )
}

/// Deletes the object, or marks it as being deleted while finalizers hold it.
///
/// # Errors
/// 404; 409 if a precondition does not hold; what the options and admission say.
pub async fn delete(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    let options = DeleteOptions::of(request)?;
    let write = Write::new(api, request, kind, version, options.dry_run)?;
    let gone = delete_one(&write, &request.path.name, &options).await?;
    Ok(match gone {
        Gone::Now(object) if !kind.strategy.returns_deleted() => Reply::Plain {
            code: StatusCode::OK,
            value: success(kind, &object),
        },
        Gone::Now(object) | Gone::Later(object) => Reply::Object {
            code: StatusCode::OK,
            kind: kind.clone(),
            version: write.version.name.clone(),
            body: Body::Stored(object),
        },
    })
}

fn success(kind: &Kind, object: &Obj) -> Value {
    let mut details =
        json!({"name": &**object.name(), "kind": &*kind.plural, "uid": object.meta.uid});
    if !kind.group.is_empty() {
        details["group"] = (&*kind.group).into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// The outcome of a deletion.
pub(super) enum Gone {
    /// It is deleted (or would be, in a dry run).
    Now(Arc<Obj>),
    /// Finalizers hold it.
    Later(Arc<Obj>),
}

/// Deletes one object of the request's namespace.
///
/// # Errors
/// As [`delete`].
pub(super) async fn delete_one(
    write: &Write<'_>,
    name: &str,
    options: &DeleteOptions,
) -> Result<Gone, ApiError> {
    let mut swap = Swap::begin(write, name).await?;
    loop {
        let now = swap.current()?;
        check(write, &now, &options.preconditions)?;
        if let Some(gone) = attempt(write, &mut swap, &now, options).await? {
            return Ok(gone);
        }
    }
}

fn check(write: &Write<'_>, now: &Obj, preconditions: &Preconditions) -> Result<(), ApiError> {
    let kind = write.kind;
    // Upstream names the kind here, not the resource (`rest.BeforeDelete`).
    let failed = |what: &str, wanted: &str, found: &str, story: &str| {
        let why = format!(
            "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {story}"
        );
        ApiError::conflict(&kind.group, &kind.kind, now.name(), &why)
    };
    if let Some(uid) = &preconditions.uid
        && *uid != now.meta.uid
    {
        return Err(failed(
            "UID",
            uid,
            &now.meta.uid,
            "deleted and then recreated",
        ));
    }
    let revision = now.revision.to_string();
    if let Some(wanted) = &preconditions.resource_version
        && *wanted != revision
    {
        return Err(failed("ResourceVersion", wanted, &revision, "modified"));
    }
    Ok(())
}

/// One attempt; nothing if somebody else was faster.
async fn attempt(
    write: &Write<'_>,
    swap: &mut Swap<'_>,
    now: &Arc<Obj>,
    options: &DeleteOptions,
) -> Result<Option<Gone>, ApiError> {
    let old = at_version(write, now).await?;
    write.admit_delete(now.name(), &old).await?;
    let mut value = old.clone();
    set_finalizers(&mut value, options.propagation);
    let held = !object::finalizers(&value).is_empty() || write.kind.strategy.holds_deletion(&value);
    if held {
        mark(write, &mut value);
    }
    let (then, outcome): (_, fn(Arc<Obj>) -> Gone) = if held {
        (Then::Stays, Gone::Later)
    } else {
        (Then::Gone, Gone::Now)
    };
    if write.dry_run {
        return Ok(Some(outcome(now.clone())));
    }
    let bytes = write.stored_bytes(value).await?;
    Ok(swap.commit(now, bytes, then).await?.map(outcome))
}

/// Adds or takes the garbage collector's finalizers, as the policy says; without a policy they stay as they are.
fn set_finalizers(value: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else {
        return;
    };
    let mut finalizers: Vec<String> = object::finalizers(value)
        .into_iter()
        .filter(|finalizer| *finalizer != ORPHAN && *finalizer != FOREGROUND)
        .map(str::to_owned)
        .collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(FOREGROUND.to_owned()),
        Propagation::Orphan => finalizers.push(ORPHAN.to_owned()),
    }
    let metadata = object::metadata_mut(value);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".to_owned(), finalizers.into());
    }
}

/// Marks an object that stays for now as being deleted; a mark that is there stays as it is.
fn mark(write: &Write<'_>, value: &mut Value) {
    if object::is_terminating(value) {
        return;
    }
    let next = object::generation(value) + 1;
    let now = write.api.seams.now_rfc3339();
    let metadata = object::metadata_mut(value);
    metadata.insert("deletionTimestamp".to_owned(), now.into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
    if write.kind.strategy.tracks_generation() {
        metadata.insert("generation".to_owned(), next.into());
    }
    write.kind.strategy.prepare_delete(value);
}
