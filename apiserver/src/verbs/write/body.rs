//! The body of a write as an object of the request's version.

use serde_json::Value;

use super::meta::{check_types, prune_unknown};
use super::options::FieldValidation;
use crate::codec::decode::{Expected, Format, decode, too_deep};
use crate::kinds::{Kind, KindVersion};
use crate::object;
use crate::request::Request;
use crate::status::ApiError;

/// Decodes the body of a POST or PUT: an object of the kind, at the version of the request.
///
/// # Errors
/// 415 for an unknown encoding; 400 for a body that does not parse, is of another kind or version, or that strict
/// reading refuses.
pub(super) fn object_of(
    request: &Request,
    kind: &Kind,
    version: &KindVersion,
    strictness: FieldValidation,
) -> Result<Value, ApiError> {
    let format = Format::of_object(&request.content_type, kind)?;
    let expected = Expected {
        api_version: &kind.api_version(&version.name),
        kind: &kind.kind,
    };
    let decoded = decode(format, &request.body, expected)
        .map_err(|error| error.refusal(&kind.kind, &request.body))?;
    let mut value = decoded.value;
    // As in Go, a null decodes into an object without anything.
    if value.is_null() {
        value = Value::Object(serde_json::Map::new());
    }
    if !value.is_object() {
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): it is not a JSON object",
            kind.kind
        )));
    }
    check_kind(&mut value, kind, version)?;
    let mut complaints = decoded.complaints;
    let refused = |why: String| {
        ApiError::bad_request(format!(
            "{kind} in version \"{}\" cannot be handled as a {kind}: {why}",
            version.name,
            kind = kind.kind
        ))
    };
    clean(&mut value, version, &mut complaints).map_err(refused)?;
    judge(request, strictness, &complaints).map_err(refused)?;
    Ok(value)
}

/// The body of a review, which is an object that is answered and not stored.
///
/// # Errors
/// As for an object that is to be created.
pub(crate) fn review_body(
    request: &Request,
    kind: &Kind,
    version: &str,
) -> Result<Value, ApiError> {
    let row = kind.version(version).ok_or_else(ApiError::no_such_path)?;
    let options = super::options::WriteOptions::of(request, "CreateOptions")?;
    let mut review = object_of(request, kind, row, options.field_validation)?;
    settle_namespace(&mut review, request, kind)?;
    if review.get("spec").is_none_or(Value::is_null) {
        review["spec"] = Value::Object(serde_json::Map::new());
    }
    Ok(review)
}

/// `apiVersion` and `kind` must be the request's; absent ones are filled in.
fn check_kind(value: &mut Value, kind: &Kind, version: &KindVersion) -> Result<(), ApiError> {
    let api_version = kind.api_version(&version.name);
    let given = |field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (given_version, given_kind) = (given("apiVersion"), given("kind"));
    if !given_kind.is_empty() && given_kind != *kind.kind {
        return Err(ApiError::bad_request(format!(
            "the kind in the data ({given_kind}) does not match the expected kind ({})",
            kind.kind
        )));
    }
    if !given_version.is_empty() && given_version != api_version {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({given_version}) does not match the expected API version ({api_version})"
        )));
    }
    value["apiVersion"] = api_version.into();
    value["kind"] = (&*kind.kind).into();
    Ok(())
}

/// Drops what the schema does not know and adds complaints about it.
///
/// # Errors
/// If metadata, or anything in a built-in object, is of the wrong type: in Go's words. If the object is deeper than
/// [`object::MAX_DEPTH`].
pub(super) fn clean(
    value: &mut Value,
    version: &KindVersion,
    complaints: &mut Vec<String>,
) -> Result<(), String> {
    if object::depth(value) > object::MAX_DEPTH {
        return Err(too_deep("json", object::MAX_DEPTH));
    }
    let mut unknown = prune_unknown(value);
    check_types(value)?;
    if let Some(why) = version.schema.decode_error(value) {
        return Err(why);
    }
    unknown.extend(version.schema.prune(value));
    unknown.sort();
    unknown.dedup();
    complaints.extend(
        unknown
            .iter()
            .map(|path| format!("unknown field \"{path}\"")),
    );
    let metadata = object::metadata_mut(value);
    metadata.remove("managedFields");
    metadata.remove("selfLink");
    // Go writes neither empty maps nor empty lists here.
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let empty = match metadata.get(field) {
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            _ => false,
        };
        if empty {
            metadata.remove(field);
        }
    }
    Ok(())
}

/// Acts on complaints as the client asked.
///
/// # Errors
/// All complaints, under strict reading.
pub(super) fn judge(
    request: &Request,
    strictness: FieldValidation,
    complaints: &[String],
) -> Result<(), String> {
    match strictness {
        _ if complaints.is_empty() => Ok(()),
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            for complaint in complaints {
                request.warnings.add(complaint.clone());
            }
            Ok(())
        }
        FieldValidation::Strict => Err(format!("strict decoding error: {}", complaints.join(", "))),
    }
}

/// Fills the namespace of the path in, or refuses another one.
///
/// # Errors
/// 400 if the object names another namespace than the path.
pub(super) fn settle_namespace(
    value: &mut Value,
    request: &Request,
    kind: &Kind,
) -> Result<(), ApiError> {
    let asked = &request.path.namespace;
    let given = object::namespace(value);
    if !kind.namespaced() {
        if given.is_empty() {
            return Ok(());
        }
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if given.is_empty() {
        object::set_meta_str(value, "namespace", asked);
        Ok(())
    } else if given == asked {
        Ok(())
    } else {
        Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ))
    }
}
