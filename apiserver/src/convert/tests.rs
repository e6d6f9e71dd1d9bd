//! What a conversion may and may not do.

use serde_json::{Value, json};

use super::{events, metadata};
use crate::kinds::{BuiltinHooks, Kind, Plain, builtin_rows};

fn row(group: &str, plural: &str) -> Kind {
    let rows = builtin_rows(BuiltinHooks {
        strategy: |_, _| std::sync::Arc::new(Plain),
        columns: |_, _| Vec::new(),
    });
    let found = rows
        .iter()
        .find(|row| &*row.group == group && &*row.plural == plural);
    Kind::clone(found.unwrap())
}

fn check(output: Value) -> Result<Value, String> {
    let input = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "uid": "u", "labels": {"x": "1"}, "finalizers": ["f"]}, "spec": 1});
    let found = metadata::check(
        &row("apps", "deployments"),
        &[input],
        vec![output],
        "apps/v2",
    );
    found
        .map(|mut list| list.remove(0))
        .map_err(|error| error.message)
}

#[test]
fn only_labels_and_annotations_of_metadata_may_change() {
    let output = json!({"apiVersion": "apps/v2", "kind": "Deployment", "spec": 2,
        "metadata": {"name": "a", "uid": "u", "annotations": {"y": "2"}, "finalizers": [], "generation": 9}});
    assert_eq!(
        check(output).unwrap(),
        json!({"apiVersion": "apps/v2", "kind": "Deployment", "spec": 2,
            "metadata": {"name": "a", "uid": "u", "annotations": {"y": "2"}, "finalizers": ["f"]}})
    );
}

#[test]
fn outputs_that_do_not_belong_are_refused_in_upstreams_words() {
    let start = "conversion webhook for apps/v1, Kind=Deployment returned invalid";
    for (output, expected) in [
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "uid": "u"}}),
            "converted object at index 0: invalid groupVersion (expected apps/v2, received apps/v1)",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "X", "metadata": {"name": "a", "uid": "u"}}),
            "converted object at index 0: invalid kind (expected Deployment, received X)",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "b", "uid": "u"}}),
            "converted object at index 0: must have the same name: a != b",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "a", "uid": "v"}}),
            "converted object at index 0: must have the same UID: u != v",
        ),
        (
            json!({"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "a", "uid": "u", "labels": {"k": 1}}}),
            "metadata in object at index 0: metadata.labels[k] must be a string in converted object",
        ),
    ] {
        assert_eq!(check(output).unwrap_err(), format!("{start} {expected}"));
    }
}

#[test]
fn events_convert_there_and_back() {
    let core = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"name": "p"},
        "message": "m", "reason": "R", "count": 3, "source": {"component": "c"}, "reportingComponent": "r", "reportingInstance": "i"});
    let view = events::convert(core.clone(), "events.k8s.io/v1");
    assert_eq!(view["regarding"]["name"], "p");
    assert_eq!(view["note"], "m");
    assert_eq!(view["reportingController"], "r");
    assert_eq!(
        events::to_storage(&row("events.k8s.io", "events"), &view),
        Some(core.clone())
    );
    assert_eq!(events::to_storage(&row("", "events"), &core), None);
    assert_eq!(events::to_storage(&row("", "pods"), &core), None);
}
