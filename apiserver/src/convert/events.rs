//! Events have two views, core `v1` and `events.k8s.io/v1`, of one stored object: the core one.
//!
//! The fields correspond as in `k8s.io/kubernetes/pkg/apis/events/v1/conversion.go`.

use serde_json::{Map, Value};

use crate::kinds::Kind;

const VIEW: &str = "events.k8s.io/v1";
const STORED: &str = "v1";

/// Field of the core view, field of the other.
const FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// Fields that the core view has even if they are empty.
const EMPTY: [&str; 2] = ["reportingComponent", "reportingInstance"];

pub(super) fn is_event(kind: &Kind) -> bool {
    !kind.is_custom() && &*kind.resource == "/events"
}

/// The stored form of an event of the other view; `None` for everything else.
pub(super) fn to_storage(kind: &Kind, object: &Value) -> Option<Value> {
    (is_event(kind) && crate::object::is_api_version(object, VIEW))
        .then(|| convert(object.clone(), STORED))
}

/// An event in the view that the `apiVersion` names.
pub(super) fn convert(object: Value, api_version: &str) -> Value {
    let Value::Object(fields) = object else {
        return object;
    };
    let to_view = api_version == VIEW;
    let renamed = |name: &str| {
        let pair = FIELDS
            .iter()
            .find(|(core, view)| name == if to_view { *core } else { *view });
        pair.map(|(core, view)| if to_view { *view } else { *core })
    };
    let mut out: Map<String, Value> = fields
        .into_iter()
        .filter(|(name, value)| !(to_view && EMPTY.contains(&name.as_str()) && value == ""))
        .map(|(name, value)| (renamed(&name).map_or(name, str::to_owned), value))
        .collect();
    out.insert("apiVersion".to_owned(), api_version.into());
    Value::Object(out)
}
