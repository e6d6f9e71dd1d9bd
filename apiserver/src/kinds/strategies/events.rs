//! Events, of the core group and of their own.

use serde_json::Value;

use super::at::{At, Findings};
use super::default;
use crate::kinds::{Strategy, StrategyContext};
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Events {
    Core,
    Own,
}

impl Strategy for Events {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        let Some(fields) = object.as_object_mut() else {
            return;
        };
        if *self == Self::Core {
            default(fields, "involvedObject", serde_json::json!({}));
            default(fields, "reportingComponent", "");
            default(fields, "reportingInstance", "");
        }
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        let namespace = crate::object::namespace(object);
        let about = match self {
            Self::Core => At::top(object, "involvedObject").field("namespace"),
            Self::Own => At::top(object, "regarding").field("namespace"),
        };
        // What belongs to the whole cluster is told of in the namespace `default`.
        let fits = about.text() == namespace || about.text().is_empty() && namespace == "default";
        if !fits {
            let about = At {
                path: "involvedObject.namespace".to_owned(),
                ..about
            };
            let value = about.text().into();
            out.push(about.invalid_value(&value, "does not match event.namespace"));
        }
        if *self == Self::Own && old.is_none() {
            own(object, &mut out);
        }
        out
    }

    fn tracks_generation(&self) -> bool {
        false
    }

    fn judges_alone(&self) -> bool {
        true
    }
}

/// The rules that came with the group.
fn own(event: &Value, out: &mut Findings) {
    let at = |field: &str| At::top(event, field);
    let nothing = Value::from("");
    if at("eventTime").is_empty() {
        out.push(at("eventTime").required(""));
    }
    let kind = at("type");
    if !matches!(kind.text(), "Normal" | "Warning") {
        let detail = format!("has invalid value: {}", kind.text());
        out.push(kind.invalid_value(&nothing, detail));
    }
    for (field, old) in [
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
    ] {
        if !at(field).is_empty() && at(field).number() != Some(0) {
            let at = At {
                path: old.to_owned(),
                ..at(field)
            };
            out.push(at.invalid_value(&nothing, "needs to be unset"));
        }
    }
    let controller = at("reportingController");
    if controller.text().is_empty() {
        out.push(controller.required(""));
    }
    controller.qualified(out);
    for field in ["reportingInstance", "action", "reason"] {
        if at(field).text().is_empty() {
            out.push(at(field).required(""));
        }
    }
}
