//! PATCH: a change written as a patch.

use std::sync::Arc;

use json_patch::PatchOperation;
use serde_json::Value;

use super::body::{clean, judge};
use super::change::{self, Change};
use super::options::WriteOptions;
use super::pipeline::Write;
use super::scale;
use super::update::{part, settle_name};
use crate::api::Api;
use crate::codec::decode::{decode_json, media_type};
use crate::kinds::{Kind, KindVersion};
use crate::merge::strategic::apply_strategic_merge_patch;
use crate::merge::{apply_json_patch, apply_merge_patch, parse_json_patch};
use crate::object;
use crate::request::Request;
use crate::schema::Schema;
use crate::status::{ApiError, FieldError};
use crate::verbs::Reply;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_MERGE_PATCH: &str = "application/strategic-merge-patch+json";

/// A patch that parsed.
pub(super) enum Patch {
    Json(Vec<PatchOperation>),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    /// Reads the body as the patch language that the content type names. Server-side apply
    /// (`application/apply-patch+yaml`) will be one more.
    ///
    /// # Errors
    /// 415 for a language that the kind does not take, 400 for a body that does not parse.
    pub(super) fn of(
        request: &Request,
        strategic: bool,
        complaints: &mut Vec<String>,
    ) -> Result<Self, ApiError> {
        let media_type = media_type(&request.content_type);
        let accepted: &[&str] = if strategic {
            &[JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH]
        } else {
            &[JSON_PATCH, MERGE_PATCH]
        };
        if !accepted.contains(&media_type.as_str()) {
            return Err(ApiError::unsupported_media_type(accepted));
        }
        let decoded = decode_json(&request.body).map_err(ApiError::bad_request)?;
        complaints.extend(decoded.complaints);
        match media_type.as_str() {
            JSON_PATCH => parse_json_patch(decoded.value)
                .map(Self::Json)
                .map_err(json_error),
            STRATEGIC_MERGE_PATCH => Ok(Self::Strategic(decoded.value)),
            _ => Ok(Self::Merge(decoded.value)),
        }
    }

    /// The patched object.
    ///
    /// # Errors
    /// 422 or 400 if the patch does not fit the object.
    pub(super) fn apply(
        &self,
        current: &Value,
        schema: Option<&Schema>,
    ) -> Result<Value, ApiError> {
        let mut value = current.clone();
        match self {
            Self::Json(operations) => {
                apply_json_patch(&mut value, operations).map_err(json_error)?;
            }
            Self::Merge(patch) => apply_merge_patch(&mut value, patch),
            Self::Strategic(patch) => {
                apply_strategic_merge_patch(&mut value, patch, schema).map_err(|error| {
                    if error.is_malformed() {
                        ApiError::bad_request(error.to_string())
                    } else {
                        unprocessable(&error.to_string())
                    }
                })?;
            }
        }
        if value.is_object() {
            Ok(value)
        } else {
            Err(unprocessable("the patched object is not a JSON object"))
        }
    }
}

fn json_error(error: crate::merge::JsonPatchError) -> ApiError {
    error.into_api()
}

fn unprocessable(why: &str) -> ApiError {
    ApiError::new(
        http::StatusCode::UNPROCESSABLE_ENTITY,
        "Invalid",
        format!("the server rejected our request due to an error in our request: {why}"),
    )
}

/// Patches the object or one of its subresources. A `resourceVersion` in the result that differs from the current one is a
/// precondition; without it, a lost race is tried again on the newer object.
///
/// # Errors
/// 415, 400 and 422 for the patch, and what an update says.
pub async fn patch(
    api: &Api,
    request: &Request,
    kind: &Arc<Kind>,
    version: &str,
) -> Result<Reply, ApiError> {
    if request.path.subresource == "scale" {
        return scale::patch_scale(api, request, kind, version).await;
    }
    let options = WriteOptions::of(request, "PatchOptions")?;
    let write = Write::new(api, request, kind, version, options.dry_run)?;
    let mut complaints = Vec::new();
    let patch = Patch::of(request, !kind.is_custom(), &mut complaints)?;
    let change = PatchChange {
        patch,
        request,
        kind,
        version: write.version,
        complaints,
        options,
    };
    change::reply(&write, &request.path.name, part(request), &change).await
}

struct PatchChange<'a> {
    patch: Patch,
    request: &'a Request,
    kind: &'a Kind,
    version: &'a KindVersion,
    complaints: Vec<String>,
    options: WriteOptions,
}

impl Change for PatchChange<'_> {
    fn wanted(&self, current: &Value) -> Result<Value, ApiError> {
        let mut value = self.patch.apply(current, Some(&self.version.schema))?;
        let expected = (current["apiVersion"].clone(), current["kind"].clone());
        if (&value["apiVersion"], &value["kind"]) != (&expected.0, &expected.1) {
            return Err(ApiError::bad_request(format!(
                "a patch may not change apiVersion or kind: the object is a {}",
                self.kind.kind
            )));
        }
        let mut complaints = self.complaints.clone();
        let refused = |why: String| {
            let patch = String::from_utf8_lossy(&self.request.body);
            let error = FieldError::invalid("patch", &Value::from(patch), why);
            ApiError::invalid("", "", "", &[error])
        };
        clean(&mut value, self.version, &mut complaints).map_err(refused)?;
        self.check_identity(&value, current)?;
        judge(self.request, self.options.field_validation, &complaints).map_err(refused)?;
        // The current revision came from the current object, not from the client: it is no precondition.
        if object::meta_str(&value, "resourceVersion")
            == object::meta_str(current, "resourceVersion")
            && !self.names_revision()
        {
            object::set_meta_str(&mut value, "resourceVersion", "");
        }
        Ok(value)
    }

    fn unconditional(&self) -> bool {
        true
    }
}

impl PatchChange<'_> {
    /// The patched object must still be the one that the path names.
    fn check_identity(&self, value: &Value, current: &Value) -> Result<(), ApiError> {
        settle_name(value, &self.request.path.name)?;
        if object::namespace(value) != object::namespace(current) {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let uid = object::meta_str(value, "uid");
        if !uid.is_empty() && uid != object::meta_str(current, "uid") {
            let error = FieldError::invalid("metadata.uid", &uid.into(), "field is immutable");
            let (group, kind) = (&self.kind.group, &self.kind.kind);
            return Err(ApiError::invalid(
                group,
                kind,
                &self.request.path.name,
                &[error],
            ));
        }
        Ok(())
    }

    fn names_revision(&self) -> bool {
        match &self.patch {
            Patch::Json(operations) => operations
                .iter()
                .any(|operation| operation.path().as_str() == "/metadata/resourceVersion"),
            Patch::Merge(patch) | Patch::Strategic(patch) => {
                !object::meta_str(patch, "resourceVersion").is_empty()
            }
        }
    }
}
