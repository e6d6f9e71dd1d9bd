//! What of a Pod may change.

use serde_json::Value;

use super::super::at::{At, Findings};
use super::{container, scheduling};

/// The fields that may change whole.
const MUTABLE: [&str; 3] = [
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
];

pub(super) fn validate(spec: &At<'_>, old: &Value, out: &mut Findings) {
    for list in ["containers", "initContainers"] {
        let at = spec.field(list);
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        if count(at.value) != count(&old[list]) {
            out.push(at.forbidden("pod updates may not add or remove containers"));
            return;
        }
        for one in at.items() {
            container::image(&one, out);
        }
    }
    deadline(
        &spec.field("activeDeadlineSeconds"),
        &old["activeDeadlineSeconds"],
        out,
    );
    scheduling::tolerations(&spec.field("tolerations"), out);
    if out.is_empty() && frozen(spec.value) != frozen(old) {
        out.push(spec.forbidden("pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"));
    }
}

/// A deadline may come earlier, not later.
fn deadline(at: &At<'_>, old: &Value, out: &mut Findings) {
    let before = out.len();
    at.within(1, i64::from(i32::MAX), out);
    if out.len() > before {
        return;
    }
    match (at.number(), old.as_i64()) {
        (Some(new), Some(old)) if new > old => {
            out.push(at.invalid("must be less than or equal to previous value"));
        }
        (None, Some(_)) => {
            out.push(at.invalid("must not update from a positive integer to nil value"));
        }
        _ => {}
    }
}

/// A spec without what may change.
fn frozen(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(fields) = spec.as_object_mut() {
        for field in MUTABLE {
            fields.remove(field);
        }
        for list in ["containers", "initContainers"] {
            for container in super::members(fields, list) {
                container.remove("image");
            }
        }
    }
    spec
}
