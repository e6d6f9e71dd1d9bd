//! A cell's pod placement, merged into workloads.

use federation_api::kinds::{PodPlacement, Toleration};
use serde_json::{Map, Value};

use crate::target::Target;

/// Where the pod spec stands in a kind that makes pods; `None` for every other kind.
pub(crate) fn pod_spec_path(target: &Target) -> Option<&'static [&'static str]> {
    match (target.group.as_str(), target.kind.as_str()) {
        ("", "Pod") => Some(&["spec"]),
        ("", "ReplicationController")
        | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job") => Some(&["spec", "template", "spec"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}

/// Merges `placement` into the pod spec of `object`: its node selector wins key by key, its tolerations are added
/// unless they are there. Kinds that make no pods, and objects without a pod spec, stay as they are.
pub(crate) fn merge(object: &mut Value, target: &Target, placement: &PodPlacement) {
    let Some(path) = pod_spec_path(target) else {
        return;
    };
    let pod_spec = path
        .iter()
        .try_fold(object, |place, key| place.get_mut(key));
    let Some(pod_spec) = pod_spec.and_then(Value::as_object_mut) else {
        return;
    };
    if !placement.node_selector.is_empty() {
        let selector = pod_spec
            .entry("nodeSelector")
            .or_insert_with(|| Value::Object(Map::new()));
        if selector.is_null() {
            *selector = Value::Object(Map::new());
        }
        if let Some(selector) = selector.as_object_mut() {
            for (key, value) in &placement.node_selector {
                selector.insert(key.clone(), Value::String(value.clone()));
            }
        }
    }
    if !placement.tolerations.is_empty() {
        let all = pod_spec
            .entry("tolerations")
            .or_insert_with(|| Value::Array(Vec::new()));
        if all.is_null() {
            *all = Value::Array(Vec::new());
        }
        if let Some(all) = all.as_array_mut() {
            for toleration in placement.tolerations.iter().map(json_of) {
                if !all.contains(&toleration) {
                    all.push(toleration);
                }
            }
        }
    }
}

fn json_of(toleration: &Toleration) -> Value {
    serde_json::to_value(toleration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(group: &str, kind: &str, mut object: Value) -> Value {
        let target = Target {
            group: group.into(),
            kind: kind.into(),
            ..Target::default()
        };
        let placement = serde_json::from_value(json!({
            "nodeSelector": {"zone": "a"}, "tolerations": [{"key": "cell", "operator": "Exists"}],
        }))
        .unwrap();
        merge(&mut object, &target, &placement);
        object
    }

    #[test]
    fn workloads_get_the_cells_nodes() {
        let placed = json!({"nodeSelector": {"zone": "a", "disk": "ssd"}, "tolerations": [{"key": "own"}, {"key": "cell", "operator": "Exists"}]});
        let own =
            json!({"nodeSelector": {"zone": "b", "disk": "ssd"}, "tolerations": [{"key": "own"}]});
        assert_eq!(
            merged(
                "apps",
                "Deployment",
                json!({"spec": {"template": {"spec": own}}})
            ),
            json!({"spec": {"template": {"spec": placed}}})
        );
        assert_eq!(
            merged("", "Pod", json!({"spec": own})),
            json!({"spec": placed})
        );
        let cron =
            |pod: &Value| json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        assert_eq!(merged("batch", "CronJob", cron(&own)), cron(&placed));
        // Merging twice changes nothing more.
        assert_eq!(
            merged("", "Pod", json!({"spec": placed})),
            json!({"spec": placed})
        );
    }

    #[test]
    fn other_kinds_are_left_alone() {
        for (group, kind, object) in [
            (
                "tutorial.my.domain",
                "Foo",
                json!({"spec": {"template": {"spec": {}}}}),
            ),
            (
                "my.domain",
                "Deployment",
                json!({"spec": {"template": {"spec": {}}}}),
            ),
            ("apps", "Deployment", json!({"spec": {}})),
            ("", "Pod", json!({"spec": 3})),
        ] {
            assert_eq!(merged(group, kind, object.clone()), object);
        }
    }
}
