//! Per-member changes to the template: KubeFed's subset of RFC 6902.
//!
//! Operations are `add`, `remove` and `replace` (the default). Array indexes may be negative and then count from the
//! end, as in evanphx/json-patch v4; `replace` and `remove` of a missing path fail.

use std::collections::BTreeSet;

use federation_api::federated::OverrideOperation;
use federation_api::federated::southbound::ClusterOverride;
use serde_json::Value;

use crate::field::{ErrorType, FieldError, Path};

/// Paths that tie a member object to its federated object and cannot be overridden.
pub const FORBIDDEN_PATHS: [&str; 4] = [
    "/metadata/namespace",
    "/metadata/name",
    "/metadata/generateName",
    "/kind",
];

/// The words a version uses for the fields of an override.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// `clusterName` or `topologyName`.
    pub name: &'static str,
    /// `clusterOverrides` or `topologyOverrides`.
    pub steps: &'static str,
}

/// The words of v1beta1.
pub const SOUTHBOUND_WORDS: Words = Words {
    name: "clusterName",
    steps: "clusterOverrides",
};
/// The words of v1.
pub const NORTHBOUND_WORDS: Words = Words {
    name: "topologyName",
    steps: "topologyOverrides",
};

/// The overrides are wrong as a whole: nothing can be written to any member. Holds at least one error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("invalid overrides: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
pub struct InvalidOverrides(pub Vec<FieldError>);

/// A step does not apply to this member's object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("override {index} ({op} {path}) does not apply: {why}")]
pub struct DoesNotApply {
    /// Position of the step in the member's list.
    pub index: usize,
    /// Operation.
    pub op: String,
    /// JSON pointer of the step.
    pub path: String,
    /// What is missing.
    pub why: &'static str,
}

/// Checks all overrides of an object, which stand at `path` and use `words`.
///
/// # Errors
/// If a name appears twice, a path repeats for one name, a path is forbidden or no JSON pointer, or an operation
/// is unknown.
pub fn check(
    overrides: &[ClusterOverride],
    path: &Path,
    words: Words,
) -> Result<(), InvalidOverrides> {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    for (index, item) in overrides.iter().enumerate() {
        let path = path.index(index);
        if !names.insert(&item.cluster_name) {
            errors.push(FieldError::duplicate(
                &path.child(words.name),
                item.cluster_name.as_str(),
            ));
        }
        let mut paths = BTreeSet::new();
        for (index, step) in item.cluster_overrides.iter().flatten().enumerate() {
            let path = path.child(words.steps).index(index);
            check_step(step, &path, &mut errors);
            if !paths.insert(&step.path) {
                errors.push(FieldError::duplicate(
                    &path.child("path"),
                    step.path.as_str(),
                ));
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(InvalidOverrides(errors))
    }
}

fn check_step(step: &OverrideOperation, path: &Path, errors: &mut Vec<FieldError>) {
    if !matches!(operation(step), "add" | "remove" | "replace") {
        errors.push(FieldError::not_supported(
            &path.child("op"),
            operation(step),
            &["add", "remove", "replace"],
        ));
    }
    let path = path.child("path");
    if FORBIDDEN_PATHS.contains(&step.path.as_str()) {
        errors.push(FieldError::invalid(
            &path,
            step.path.as_str(),
            "this field cannot be overridden",
        ));
    } else if step.path.is_empty() {
        errors.push(FieldError::new(&path, ErrorType::Required, None, ""));
    } else if !step.path.starts_with('/') {
        errors.push(FieldError::invalid(
            &path,
            step.path.as_str(),
            "must be a JSON pointer, e.g. /spec/replicas",
        ));
    }
}

/// The steps for one member, in order; empty if it has none. Call [`check`] first.
#[must_use]
pub fn of_member<'a>(overrides: &'a [ClusterOverride], member: &str) -> &'a [OverrideOperation] {
    overrides
        .iter()
        .find(|item| item.cluster_name == member)
        .and_then(|item| item.cluster_overrides.as_deref())
        .unwrap_or_default()
}

/// Applies the steps in order. On an error `object` is left half-changed: work on a copy.
///
/// # Errors
/// At the first step that does not apply.
pub fn apply(steps: &[OverrideOperation], object: &mut Value) -> Result<(), DoesNotApply> {
    for (index, step) in steps.iter().enumerate() {
        apply_step(step, object).map_err(|why| DoesNotApply {
            index,
            op: operation(step).to_owned(),
            path: step.path.clone(),
            why,
        })?;
    }
    Ok(())
}

fn operation(step: &OverrideOperation) -> &str {
    match step.op.as_deref() {
        None | Some("") => "replace",
        Some(op) => op,
    }
}

const NO_PARENT: &str = "the parent of the path is missing";
const NO_TARGET: &str = "the path is missing";
const NO_INDEX: &str = "the array has no such index";

fn apply_step(step: &OverrideOperation, object: &mut Value) -> Result<(), &'static str> {
    let pointer = step
        .path
        .strip_prefix('/')
        .ok_or("the path is no JSON pointer")?;
    let mut keys: Vec<String> = pointer
        .split('/')
        .map(|key| key.replace("~1", "/").replace("~0", "~"))
        .collect();
    let last = keys.pop().ok_or(NO_PARENT)?;
    let mut parent = object;
    for key in &keys {
        parent = match parent {
            Value::Object(map) => map.get_mut(key).ok_or(NO_PARENT)?,
            Value::Array(list) => {
                let index = position(key, list.len()).ok_or(NO_PARENT)?;
                list.get_mut(index).ok_or(NO_PARENT)?
            }
            _ => return Err(NO_PARENT),
        };
    }
    let value = || step.value.clone().unwrap_or(Value::Null);
    match (parent, operation(step)) {
        (Value::Object(map), "add") => {
            map.insert(last, value());
        }
        (Value::Object(map), "replace") => {
            *map.get_mut(&last).ok_or(NO_TARGET)? = value();
        }
        (Value::Object(map), "remove") => {
            map.remove(&last).ok_or(NO_TARGET)?;
        }
        (Value::Array(list), "add") => {
            let index = if last == "-" {
                list.len()
            } else {
                position(&last, list.len() + 1).ok_or(NO_INDEX)?
            };
            list.insert(index, value());
        }
        (Value::Array(list), "replace") => {
            let index = position(&last, list.len()).ok_or(NO_INDEX)?;
            list[index] = value();
        }
        (Value::Array(list), "remove") => {
            let index = position(&last, list.len()).ok_or(NO_INDEX)?;
            list.remove(index);
        }
        (Value::Object(_) | Value::Array(_), _) => return Err("the operation is unknown"),
        _ => return Err(NO_PARENT),
    }
    Ok(())
}

/// The index that `key` means in an array of `length`; negative ones count from the end.
fn position(key: &str, length: usize) -> Option<usize> {
    let index: i64 = key.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let index = if index < 0 { index + length } else { index };
    (0..length)
        .contains(&index)
        .then_some(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(steps: Value) -> Result<Value, DoesNotApply> {
        let steps: Vec<OverrideOperation> = serde_json::from_value(steps).unwrap();
        let mut object = json!({"spec": {"replicas": 3, "list": [1, 2, 3], "a/b": {"~": 1}}});
        apply(&steps, &mut object)?;
        Ok(object["spec"].clone())
    }

    #[test]
    fn steps_apply_as_in_json_patch() {
        let cases = [
            (
                json!({"path": "/spec/replicas", "value": 5}),
                "/replicas",
                json!(5),
            ),
            (
                json!({"op": "", "path": "/spec/replicas", "value": 5}),
                "/replicas",
                json!(5),
            ),
            (
                json!({"op": "add", "path": "/spec/new", "value": {"x": 1}}),
                "/new",
                json!({"x": 1}),
            ),
            (
                json!({"op": "add", "path": "/spec/list/-", "value": 4}),
                "/list",
                json!([1, 2, 3, 4]),
            ),
            (
                json!({"op": "add", "path": "/spec/list/-1", "value": 4}),
                "/list",
                json!([1, 2, 3, 4]),
            ),
            (
                json!({"op": "add", "path": "/spec/list/0", "value": 0}),
                "/list",
                json!([0, 1, 2, 3]),
            ),
            (
                json!({"op": "replace", "path": "/spec/list/-1", "value": 9}),
                "/list",
                json!([1, 2, 9]),
            ),
            (
                json!({"op": "remove", "path": "/spec/list/0"}),
                "/list",
                json!([2, 3]),
            ),
            (
                json!({"path": "/spec/a~1b/~0", "value": 2}),
                "/a~1b",
                json!({"~": 2}),
            ),
            (json!({"path": "/spec/replicas"}), "/replicas", json!(null)),
        ];
        for (step, pointer, expected) in cases {
            let spec = patched(json!([step])).unwrap();
            assert_eq!(spec.pointer(pointer).unwrap(), &expected, "{step}");
        }
        assert_eq!(
            patched(json!([{"op": "remove", "path": "/spec/replicas"}]))
                .unwrap()
                .get("replicas"),
            None
        );
    }

    #[test]
    fn what_is_missing_does_not_apply() {
        for (step, why) in [
            (json!({"path": "/spec/none", "value": 1}), NO_TARGET),
            (json!({"op": "remove", "path": "/spec/none"}), NO_TARGET),
            (
                json!({"op": "add", "path": "/spec/none/x", "value": 1}),
                NO_PARENT,
            ),
            (
                json!({"op": "replace", "path": "/spec/list/7", "value": 1}),
                NO_INDEX,
            ),
            (
                json!({"op": "replace", "path": "/spec/list/-4", "value": 1}),
                NO_INDEX,
            ),
            (
                json!({"op": "add", "path": "/spec/replicas/x", "value": 1}),
                NO_PARENT,
            ),
        ] {
            assert_eq!(patched(json!([step])).unwrap_err().why, why, "{step}");
        }
    }

    #[test]
    fn whole_lists_are_checked_with_field_paths() {
        let overrides: Vec<ClusterOverride> = serde_json::from_value(json!([
            {"clusterName": "a", "clusterOverrides": [{"path": "/kind"}, {"path": "/x"}, {"path": "/x"}, {"path": "x"}]},
            {"clusterName": "a", "clusterOverrides": [{"op": "move", "path": "/y"}]},
        ]))
        .unwrap();
        let path = Path::new("spec").child("overrides");
        let errors = check(&overrides, &path, SOUTHBOUND_WORDS).unwrap_err().0;
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.overrides[0].clusterOverrides[0].path",
                "spec.overrides[0].clusterOverrides[2].path",
                "spec.overrides[0].clusterOverrides[3].path",
                "spec.overrides[1].clusterName",
                "spec.overrides[1].clusterOverrides[0].op",
            ]
        );
        assert!(check(&overrides[1..1], &path, NORTHBOUND_WORDS).is_ok());
    }
}
