//! What is particular about writing CRDs.

use serde_json::{Value, json};

use super::defaults;
use super::definition::{CRD_FINALIZER, remember_storage_version};
use crate::kinds::{Strategy, StrategyContext};
use crate::object::{is_terminating, metadata_mut};
use crate::status::FieldError;

/// The strategy of CustomResourceDefinitions: they get their finalizer and the list of stored versions at once, so that
/// no moment exists in which a definition could go while its objects stay.
#[derive(Clone, Copy, Debug)]
pub struct CrdStrategy;

impl Strategy for CrdStrategy {
    fn prepare_create(&self, object: &mut Value, _: &StrategyContext<'_>) {
        defaults::fill(object);
        object["status"] = json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": [], "storedVersions": []});
        remember_storage_version(object);
        hold(object);
    }

    fn prepare_update(&self, object: &mut Value, _: &Value, context: &StrategyContext<'_>) {
        defaults::fill(object);
        if context.subresource.is_empty() {
            remember_storage_version(object);
            if !is_terminating(object) {
                hold(object);
            }
        }
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        super::validate::validate(object, old)
    }

    fn allows_unconditional_update(&self) -> bool {
        false
    }
}

/// Puts the finalizer in.
fn hold(object: &mut Value) {
    let finalizers = &mut metadata_mut(object)
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    if !finalizers.is_array() {
        **finalizers = json!([]);
    }
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|one| one == CRD_FINALIZER)
    {
        list.push(CRD_FINALIZER.into());
    }
}
