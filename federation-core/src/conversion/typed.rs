//! Does an object have the types that its version says?
//!
//! Looked at part by part: metadata, spec and status. The template is any JSON and never looked into.

use federation_api::federated::{northbound, southbound};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Version;

const PARTS: [&str; 3] = ["metadata", "spec", "status"];

/// Can every client of the version read the object?
pub(super) fn is_typed(object: &Value, version: Version) -> bool {
    PARTS
        .iter()
        .all(|part| part_is_typed(object, part, version))
}

/// Has `object` an ill-typed part that is well-typed in `other`?
pub(super) fn is_worse(object: &Value, other: &Value, version: Version) -> bool {
    PARTS
        .iter()
        .any(|part| !part_is_typed(object, part, version) && part_is_typed(other, part, version))
}

fn part_is_typed(object: &Value, part: &str, version: Version) -> bool {
    let Some(value) = object.get(part).filter(|value| !value.is_null()) else {
        return true;
    };
    match (part, version) {
        ("metadata", _) => is_plain_metadata(value),
        ("spec", Version::Northbound) => reads_as::<northbound::Spec>(value),
        ("spec", Version::Southbound) => reads_as::<southbound::Spec>(value),
        (_, Version::Northbound) => reads_as::<northbound::Status>(value),
        (_, Version::Southbound) => reads_as::<southbound::Status>(value),
    }
}

fn reads_as<T: DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok()
}

/// Are labels and annotations maps of strings, as every API server demands?
fn is_plain_metadata(metadata: &Value) -> bool {
    metadata.is_object()
        && ["labels", "annotations"]
            .iter()
            .all(|field| match metadata.get(*field) {
                None | Some(Value::Null) => true,
                Some(Value::Object(map)) => map.values().all(Value::is_string),
                Some(_) => false,
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_known_part_by_part() {
        for (object, typed) in [
            (json!({}), true),
            (
                json!({"metadata": {"annotations": {"a": "b"}, "labels": null}}),
                true,
            ),
            (json!({"metadata": {"annotations": {"a": 1}}}), false),
            (json!({"metadata": {"labels": "x"}}), false),
            (json!({"metadata": []}), false),
            (
                json!({"spec": {"topologyType": "cell", "new": 7, "template": 7}}),
                true,
            ),
            (json!({"spec": {"topologyType": 7}}), false),
            (
                json!({"spec": {"placement": {"topologies": [{"name": 7}]}}}),
                false,
            ),
            (json!({"spec": {"overrides": {}}}), false),
            (
                json!({"status": {"topologies": [{"name": "a", "remoteStatus": 7}]}}),
                true,
            ),
            (json!({"status": {"topologies": 7}}), false),
        ] {
            assert_eq!(is_typed(&object, Version::Northbound), typed, "{object}");
            let nothing = json!({});
            assert_eq!(is_worse(&object, &nothing, Version::Northbound), !typed);
            assert!(!is_worse(&object, &object, Version::Northbound));
        }
        let clusters = json!({"spec": {"placement": {"clusters": 7}}});
        assert!(!is_typed(&clusters, Version::Southbound));
        assert!(is_typed(&clusters, Version::Northbound), "no field of v1");
    }
}
