//! Roles and bindings.

use serde_json::Value;

use super::immutable;
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::status::FieldError;

pub(super) struct Rbac;

impl Strategy for Rbac {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        fill(object);
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        fill(object);
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let change = immutable(object, old, "/roleRef", "roleRef");
        change
            .map(|error| FieldError {
                detail: "cannot change roleRef".to_owned(),
                ..error
            })
            .into_iter()
            .collect()
    }

    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn tracks_generation(&self) -> bool {
        false
    }
}

/// The API groups that references may leave out.
fn fill(object: &mut Value) {
    let rbac = "rbac.authorization.k8s.io";
    if let Some(role) = object.get_mut("roleRef").and_then(Value::as_object_mut) {
        super::default(role, "apiGroup", rbac);
    }
    let subjects = object.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if matches!(
            subject.get("kind").and_then(Value::as_str),
            Some("User" | "Group")
        ) {
            super::default(subject, "apiGroup", rbac);
        }
    }
}
