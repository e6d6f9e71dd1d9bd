//! What may change in `metadata` on an update (`ValidateObjectMetaAccessorUpdate`).

use serde_json::Value;

use crate::object;
use crate::status::FieldError;

/// Fields that never change after creation.
const IMMUTABLE: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Findings about the change of metadata from `old` to `new`. The caller has already carried over from `old` what
/// clients may leave out.
pub(crate) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let field = |object: &Value, name: &str| {
        let value = object::metadata(object).and_then(|m| m.get(name));
        value.cloned().unwrap_or(Value::Null)
    };
    for name in IMMUTABLE {
        let value = field(new, name);
        if value != field(old, name) {
            let path = format!("metadata.{name}");
            errors.push(FieldError::invalid(path, &value, "field is immutable"));
        }
    }
    if object::generation(new) < object::generation(old) {
        errors.push(FieldError::invalid(
            "metadata.generation",
            &object::generation(new).into(),
            "must not be decremented",
        ));
    }
    if object::is_terminating(old) {
        let before = object::finalizers(old);
        let added: Vec<String> = object::finalizers(new)
            .into_iter()
            .filter(|finalizer| !before.contains(finalizer))
            .map(|finalizer| format!("\"{finalizer}\""))
            .collect();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", detail));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn identity_and_late_finalizers() {
        let old = json!({"metadata": {"name": "a", "uid": "1", "deletionTimestamp": "t", "finalizers": ["x/y"]}});
        assert!(validate_update(&old, &old).is_empty());
        let new = json!({"metadata": {"name": "b", "uid": "1", "deletionTimestamp": "t", "finalizers": ["x/y", "z/z"]}});
        let texts: Vec<String> = validate_update(&new, &old)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            texts,
            [
                "metadata.name: Invalid value: \"b\": field is immutable",
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"z/z\"}",
            ]
        );
    }
}
