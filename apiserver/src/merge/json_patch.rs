//! RFC 6902 JSON patch, with the limits of upstream's server.

use http::StatusCode;
use json_patch::PatchOperation;
use serde_json::Value;

use crate::object::{MAX_DEPTH, depth};
use crate::status::ApiError;

/// A patch may have no more operations (`k8s.io/apiserver/pkg/endpoints/handlers`).
pub const MAX_OPERATIONS: usize = 10_000;

/// What `copy` operations may add to the document, in bytes of JSON: the patched object's limit.
const MAX_COPIED: usize = 3 << 20;

/// How many values all `move` and `copy` operations of a patch may carry, so that a patch of many operations on a big
/// object cannot keep a processor for long.
const MAX_CARRIED: usize = 1_000_000;

/// Why a JSON patch is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// It is no JSON patch.
    #[error("error decoding patch: {0}")]
    Malformed(String),
    /// It has too many operations.
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooManyOperations(usize),
    /// An operation is none or does not fit the object, or a `test` failed.
    #[error("{0}")]
    DoesNotApply(String),
}

impl JsonPatchError {
    /// As the client sees it: 400, 413 or 422. Upstream does not tell which operation failed and why; neither is it told here,
    /// because a failing `test` would tell what the object holds.
    pub(crate) fn into_api(self) -> ApiError {
        match self {
            Self::Malformed(_) => ApiError::bad_request(self.to_string()),
            Self::TooManyOperations(_) => ApiError::too_large(self.to_string()),
            Self::DoesNotApply(_) => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Invalid",
                "the server rejected our request due to an error in our request",
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
                "json: cannot unmarshal {found} into Go value of type []handlers.jsonPatchOp"
            )));
        }
    };
    if operations > MAX_OPERATIONS {
        return Err(JsonPatchError::TooManyOperations(operations));
    }
    serde_json::from_value(patch).map_err(|error| JsonPatchError::DoesNotApply(error.to_string()))
}

/// Applies a patch wholly; on an error `target` is in no defined state. Its operations could nest a document without
/// bounds (each `move` a level deeper), so none may make it deeper than [`MAX_DEPTH`].
///
/// # Errors
/// [`JsonPatchError::DoesNotApply`].
pub fn apply_json_patch(
    target: &mut Value,
    operations: &[PatchOperation],
) -> Result<(), JsonPatchError> {
    let mut copied = 0;
    let mut carried = 0;
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
        check_depth(target, operation, at, &mut carried)?;
        json_patch::patch_unsafe(target, std::slice::from_ref(operation))
            .map_err(|error| JsonPatchError::DoesNotApply(error.to_string()))?;
    }
    Ok(())
}

/// Refuses an operation that would put something deeper than the limit, or that is one too many to carry a lot.
fn check_depth(
    target: &Value,
    operation: &PatchOperation,
    at: usize,
    carried: &mut usize,
) -> Result<(), JsonPatchError> {
    let mut moved = |from: &str| {
        let value = target.pointer(from).unwrap_or(&Value::Null);
        *carried += count(value);
        depth(value)
    };
    let levels = match operation {
        PatchOperation::Add(add) => depth(&add.value),
        PatchOperation::Replace(replace) => depth(&replace.value),
        PatchOperation::Copy(copy) => moved(copy.from.as_str()),
        PatchOperation::Move(from) => moved(from.from.as_str()),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
    };
    let above = operation.path().as_str().matches('/').count();
    let why = if *carried > MAX_CARRIED {
        format!("operation {at} moves or copies too much: more than {MAX_CARRIED} values in all")
    } else if above + levels > MAX_DEPTH {
        format!("operation {at} makes the object deeper than {MAX_DEPTH} levels")
    } else {
        return Ok(());
    };
    Err(JsonPatchError::DoesNotApply(why))
}

/// Values in a value, itself included.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(count).sum::<usize>(),
        Value::Array(list) => 1 + list.iter().map(count).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
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
        for patch in [json!({}), json!("x")] {
            let error = apply(json!({}), patch).unwrap_err();
            assert!(matches!(error, JsonPatchError::Malformed(_)), "{error}");
        }
        let jump = apply(json!({}), json!([{"op": "jump", "path": "/a"}])).unwrap_err();
        assert!(matches!(jump, JsonPatchError::DoesNotApply(_)), "{jump}");
        let many = vec![json!({"op": "add", "path": "/a", "value": 1}); MAX_OPERATIONS + 1];
        assert_eq!(
            apply(json!({}), many.into()).unwrap_err().to_string(),
            "The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
    }

    /// Every three operations put the document one level deeper: without a limit, into the end of the stack.
    #[test]
    fn moves_cannot_nest_the_object_without_end() {
        let deeper = [
            json!({"op": "add", "path": "/y", "value": {}}),
            json!({"op": "move", "from": "/x", "path": "/y/a"}),
            json!({"op": "move", "from": "/y", "path": "/x"}),
        ];
        let patch = |times: usize| {
            let mut patch = vec![json!({"op": "add", "path": "/x", "value": {}})];
            patch.extend(deeper.iter().cycle().take(3 * times).cloned());
            Value::from(patch)
        };
        assert_eq!(depth(&apply(json!({}), patch(90)).unwrap()), 92);
        let error = apply(json!({}), patch(3000)).unwrap_err();
        assert!(error.to_string().contains("deeper than 100"), "{error}");
        let add = json!([{"op": "add", "path": "/a".repeat(101), "value": 1}]);
        assert!(apply(json!({}), add).is_err());
    }

    #[test]
    fn many_moves_of_much_are_refused() {
        let moves = [
            json!({"op": "move", "from": "/a", "path": "/b"}),
            json!({"op": "move", "from": "/b", "path": "/a"}),
        ];
        let patch: Vec<Value> = moves.iter().cycle().take(MAX_OPERATIONS).cloned().collect();
        let error = apply(json!({"a": vec![1; 1000]}), patch.into()).unwrap_err();
        assert!(error.to_string().contains("too much"), "{error}");
    }

    #[test]
    fn copies_cannot_blow_up_the_object() {
        let mut patch = vec![json!({"op": "add", "path": "/a", "value": ["xxxxxxxxxxxxxxxx"]})];
        patch.extend((0..60).map(|_| json!({"op": "copy", "from": "/a", "path": "/a/-"})));
        assert!(apply(json!({}), patch.into()).is_err());
    }
}
