//! Judging a value by its schema, in upstream's words.
//!
//! Messages and paths follow `k8s.io/kube-openapi/pkg/validation` as `ValidateCustomResource` reports them, list rules
//! `apiextensions-apiserver/pkg/apiserver/schema/listtype`. On update a value is *ratcheted* (KEP-4008): what was invalid
//! and did not change is tolerated; parts of lists correlate only where the list is a map with keys.

mod format;
mod junction;
mod list;
mod scalar;
mod walk;

use serde_json::Value;

use super::model::Schema;
use crate::status::FieldError;

pub(super) use format::is_quantity;
pub(super) use format::matches as has_format;

impl Schema {
    /// What is wrong with `value`; nothing if it is valid. Expects pruned and defaulted objects.
    ///
    /// `old` is the object before an update: its invalid parts that did not change are tolerated. Rules in CEL are not evaluated.
    pub fn validate(&self, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut walk = walk::Walk::default();
        walk.check(self, value, old, "");
        let mut errors = walk.into_errors();
        if !self.builtin {
            let now = list::check(self, value);
            let before = old.map(|old| list::check(self, old)).unwrap_or_default();
            if before.is_empty() {
                errors.extend(now);
            }
        }
        errors
    }

    /// As [`Schema::validate`], for a value that is not a whole object, found at `path`.
    pub fn validate_at(&self, value: &Value, path: &str) -> Vec<FieldError> {
        let mut walk = walk::Walk::default();
        walk.check(self, value, None, path);
        let mut errors = walk.into_errors();
        errors.extend(list::check_at(self, value, path));
        errors
    }
}
