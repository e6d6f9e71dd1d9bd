//! RFC 6902 JSON patch, with the limits of upstream's server.

use http::StatusCode;
use json_patch::PatchOperation;
use serde_json::Value;

use crate::status::ApiError;

/// A patch may have no more operations (`k8s.io/apiserver/pkg/endpoints/handlers`).
pub const MAX_OPERATIONS: usize = 10_000;

/// What `copy` operations may add to the document, in bytes of JSON: the patched object's limit.
const MAX_COPIED: usize = 3 << 20;

/// Why a JSON patch is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// It is no JSON patch.
    #[error("error decoding patch: {0}")]
    Malformed(String),
    /// It has too many operations.
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooManyOperations(usize),
    /// It does not fit the object, or a `test` failed.
    #[error("{0}")]
    DoesNotApply(String),
}

impl JsonPatchError {
    /// As the client sees it: 400, 413 or 422.
    pub(crate) fn into_api(self) -> ApiError {
        match self {
            Self::Malformed(_) => ApiError::bad_request(self.to_string()),
            Self::TooManyOperations(_) => ApiError::too_large(self.to_string()),
            Self::DoesNotApply(why) => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Invalid",
                format!("the server rejected our request due to an error in our request: {why}"),
            ),
        }
    }
}

/// Reads a patch.
///
/// # Errors
/// [`JsonPatchError::Malformed`] or [`JsonPatchError::TooManyOperations`].
pub fn parse_json_patch(patch: Value) -> Result<Vec<PatchOperation>, JsonPatchError> {
    let operations = match &patch {
        Value::Array(list) => list.len(),
        other => {
            let found = match other {
                Value::Object(_) => "object",
                Value::String(_) => "string",
                Value::Number(_) => "number",
                _ => "value",
            };
            return Err(JsonPatchError::Malformed(format!(
                "json: cannot unmarshal {found} into Go value of type jsonpatch.Patch"
            )));
        }
    };
    if operations > MAX_OPERATIONS {
        return Err(JsonPatchError::TooManyOperations(operations));
    }
    serde_json::from_value(patch).map_err(|error| JsonPatchError::Malformed(error.to_string()))
}

/// Applies a patch wholly; on an error `target` is in no defined state.
///
/// # Errors
/// [`JsonPatchError::DoesNotApply`].
pub fn apply_json_patch(
    target: &mut Value,
    operations: &[PatchOperation],
) -> Result<(), JsonPatchError> {
    let mut copied = 0;
    for (at, operation) in operations.iter().enumerate() {
        if let PatchOperation::Copy(copy) = operation {
            let source = target.pointer(copy.from.as_str());
            copied += source.map_or(0, |value| value.to_string().len());
            if copied > MAX_COPIED {
                return Err(JsonPatchError::DoesNotApply(format!(
                    "operation {at} copies more than {MAX_COPIED} bytes"
                )));
            }
        }
        json_patch::patch_unsafe(target, std::slice::from_ref(operation))
            .map_err(|error| JsonPatchError::DoesNotApply(error.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply(target: Value, patch: Value) -> Result<Value, JsonPatchError> {
        let mut target = target;
        apply_json_patch(&mut target, &parse_json_patch(patch)?)?;
        Ok(target)
    }

    #[test]
    fn operations() {
        let patch = json!([
            {"op": "test", "path": "/a", "value": 1},
            {"op": "add", "path": "/l/-", "value": 3},
            {"op": "add", "path": "/l/0", "value": 0},
            {"op": "replace", "path": "/a", "value": 2},
            {"op": "copy", "from": "/a", "path": "/b~1c"},
            {"op": "move", "from": "/l/1", "path": "/m"},
            {"op": "remove", "path": "/l/0"}
        ]);
        let got = apply(json!({"a": 1, "l": [1]}), patch).unwrap();
        assert_eq!(got, json!({"a": 2, "b/c": 2, "l": [3], "m": 1}));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for patch in [
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "remove", "path": "/none"}]),
            json!([{"op": "replace", "path": "/none", "value": 1}]),
            json!([{"op": "add", "path": "/none/x", "value": 1}]),
        ] {
            let error = apply(json!({"a": 1}), patch).unwrap_err();
            assert!(matches!(error, JsonPatchError::DoesNotApply(_)), "{error}");
        }
    }

    #[test]
    fn what_is_no_patch_is_malformed() {
        for patch in [json!({}), json!("x"), json!([{"op": "jump", "path": "/a"}])] {
            let error = apply(json!({}), patch).unwrap_err();
            assert!(matches!(error, JsonPatchError::Malformed(_)), "{error}");
        }
        let many = vec![json!({"op": "add", "path": "/a", "value": 1}); MAX_OPERATIONS + 1];
        assert_eq!(
            apply(json!({}), many.into()).unwrap_err().to_string(),
            "The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
    }

    #[test]
    fn copies_cannot_blow_up_the_object() {
        let mut patch = vec![json!({"op": "add", "path": "/a", "value": ["xxxxxxxxxxxxxxxx"]})];
        patch.extend((0..60).map(|_| json!({"op": "copy", "from": "/a", "path": "/a/-"})));
        assert!(apply(json!({}), patch.into()).is_err());
    }
}
