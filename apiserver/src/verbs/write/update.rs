//! PUT: the whole object, or one of its subresources.

use std::sync::Arc;

use serde_json::Value;

use super::body::{object_of, settle_namespace};
use super::change::{self, Change, Part};
use super::options::WriteOptions;
use super::pipeline::Write;
use super::scale;
use crate::api::Api;
use crate::kinds::Kind;
use crate::object;
use crate::request::Request;
use crate::status::ApiError;
use crate::verbs::Reply;

/// Replaces the object, its `status`, its scale, or (of a namespace) its `spec.finalizers`.
///
/// # Errors
/// 400 and 415 for the body, 404, 409 for a stale `resourceVersion` or another uid, 422 for the object, and whatever
/// admission says.
pub async fn update(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    if request.path.subresource == "scale" {
        return scale::update_scale(api, request, kind, version).await;
    }
    let options = WriteOptions::of(request, "UpdateOptions")?;
    let write = Write::new(api, request, kind, version, options.dry_run)?;
    let mut value = object_of(request, kind, write.version, options.field_validation)?;
    settle_namespace(&mut value, request, kind)?;
    settle_name(&value, &request.path.name)?;
    let replacement = Replacement {
        value,
        unconditional: kind.strategy.allows_unconditional_update(),
    };
    change::reply(&write, &request.path.name, part(request), &replacement).await
}

/// The part of the object that the path names.
pub(super) fn part(request: &Request) -> Part {
    match request.path.subresource.as_str() {
        "status" => Part::Status,
        "finalize" => Part::Finalize,
        _ => Part::Main,
    }
}

struct Replacement {
    value: Value,
    unconditional: bool,
}

impl Change for Replacement {
    fn wanted(&self, _current: &Value) -> Result<Value, ApiError> {
        Ok(self.value.clone())
    }

    fn unconditional(&self) -> bool {
        self.unconditional
    }
}

/// The body must name the object of the path.
///
/// # Errors
/// 400 if it names another one or none.
pub(super) fn settle_name(value: &Value, asked: &str) -> Result<(), ApiError> {
    let given = object::name(value).to_owned();
    if given == asked {
        return Ok(());
    }
    if given.is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({asked} based on URL) was undeterminable: name must be provided"
        )));
    }
    Err(ApiError::bad_request(format!(
        "the name of the object ({given}) does not match the name on the URL ({asked})"
    )))
}
