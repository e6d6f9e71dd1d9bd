//! What an update leaves to the member: fields that its own controllers set.

use federation_api::labels;
use serde_json::{Map, Value};

/// Fields of `metadata` that a member's API server alone sets.
pub(crate) const SERVER_FIELDS: [&str; 9] = [
    "uid",
    "selfLink",
    "generation",
    "generateName",
    "managedFields",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
];

/// Carries the retained fields of `observed` over into `desired`, which is to replace it. KubeFed's list, less its
/// wiping of owner references and of `.status`:
///
/// - every kind: `resourceVersion`; finalizers; owner references and `.status` unless the template has its own;
/// - `Service`: `healthCheckNodePort`, `clusterIP`, `clusterIPs`, and `nodePort` of ports equal in name, protocol and port;
/// - `ServiceAccount`: `secrets` unless the template has some;
/// - other kinds, if `retain_replicas`: `spec.replicas`.
///
/// Labels and annotations are not its business: see `desired`.
pub fn retain(kind: &str, desired: &mut Value, observed: &Value, retain_replicas: bool) {
    let Some(target) = desired.as_object_mut() else {
        return;
    };
    if let Some(metadata) = target.get_mut("metadata").and_then(Value::as_object_mut) {
        copy(metadata, observed.get("metadata"), "resourceVersion");
        copy(metadata, observed.get("metadata"), "finalizers");
        if !metadata.contains_key("ownerReferences") {
            copy(metadata, observed.get("metadata"), "ownerReferences");
        }
    }
    if !target.contains_key("status") {
        copy(target, Some(observed), "status");
    }
    match kind {
        "Service" => retain_service(target, observed),
        "ServiceAccount" => {
            let has_own = target
                .get("secrets")
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty());
            if !has_own {
                copy(target, Some(observed), "secrets");
            }
        }
        _ if retain_replicas => {
            let replicas = observed
                .pointer("/spec/replicas")
                .filter(|value| value.is_i64());
            if let Some(replicas) = replicas
                && let Some(spec) = object_at(target, "spec")
            {
                spec.insert("replicas".into(), replicas.clone());
            }
        }
        _ => {}
    }
}

fn copy(target: &mut Map<String, Value>, source: Option<&Value>, key: &str) {
    if let Some(value) = source.and_then(|source| source.get(key)) {
        target.insert(key.to_owned(), value.clone());
    }
}

/// The object at `key`, made if absent; `None` if something else stands there.
fn object_at<'a>(
    target: &'a mut Map<String, Value>,
    key: &str,
) -> Option<&'a mut Map<String, Value>> {
    target
        .entry(key)
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
}

fn retain_service(target: &mut Map<String, Value>, observed: &Value) {
    let Some(observed) = observed.get("spec") else {
        return;
    };
    let Some(spec) = object_at(target, "spec") else {
        return;
    };
    if observed
        .get("healthCheckNodePort")
        .and_then(Value::as_i64)
        .is_some_and(|port| port > 0)
    {
        copy(spec, Some(observed), "healthCheckNodePort");
    }
    if observed
        .get("clusterIP")
        .and_then(Value::as_str)
        .is_some_and(|ip| !ip.is_empty())
    {
        copy(spec, Some(observed), "clusterIP");
    }
    if observed
        .get("clusterIPs")
        .and_then(Value::as_array)
        .is_some_and(|ips| !ips.is_empty())
    {
        copy(spec, Some(observed), "clusterIPs");
    }
    let theirs = observed
        .get("ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let ours = spec.get_mut("ports").and_then(Value::as_array_mut);
    let Some(ours) = ours else { return };
    for their in theirs {
        let Some(node_port) = their.get("nodePort") else {
            continue;
        };
        for our in ours.iter_mut().filter(|our| same_port(our, their)) {
            if let Some(our) = our.as_object_mut() {
                our.insert("nodePort".into(), node_port.clone());
            }
        }
    }
}

/// Equal in name, protocol and port. An absent protocol is TCP: members fill that in.
fn same_port(our: &Value, their: &Value) -> bool {
    let protocol = |port: &Value| {
        port.get("protocol")
            .and_then(Value::as_str)
            .unwrap_or("TCP")
            .to_owned()
    };
    our.get("name") == their.get("name")
        && our.get("port") == their.get("port")
        && protocol(our) == protocol(their)
}

/// True if the object carries `kubefed.io/managed: "true"`.
#[must_use]
pub fn is_managed(object: &Value) -> bool {
    managed_label(object) == Some(labels::MANAGED_TRUE)
}

/// True if the member's owner refuses management: `kubefed.io/managed: "false"`.
#[must_use]
pub fn refuses_management(object: &Value) -> bool {
    managed_label(object) == Some(labels::MANAGED_FALSE)
}

fn managed_label(object: &Value) -> Option<&str> {
    object
        .get("metadata")?
        .get("labels")?
        .get(labels::MANAGED)?
        .as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn retained(kind: &str, mut desired: Value, observed: Value, replicas: bool) -> Value {
        retain(kind, &mut desired, &observed, replicas);
        desired
    }

    #[test]
    fn every_kind_keeps_what_members_set() {
        let observed = json!({
            "metadata": {"resourceVersion": "7", "finalizers": ["f"], "ownerReferences": [{"uid": "u"}]},
            "spec": {"replicas": 9}, "status": {"happy": true},
        });
        let desired =
            json!({"metadata": {"name": "a", "finalizers": ["template"]}, "spec": {"replicas": 3}});
        assert_eq!(
            retained("Foo", desired.clone(), observed.clone(), false),
            json!({
                "metadata": {"name": "a", "resourceVersion": "7", "finalizers": ["f"], "ownerReferences": [{"uid": "u"}]},
                "spec": {"replicas": 3}, "status": {"happy": true},
            })
        );
        assert_eq!(
            retained("Foo", desired.clone(), observed.clone(), true)["spec"]["replicas"],
            9
        );
        assert_eq!(
            retained("ServiceAccount", desired, observed, true)["spec"]["replicas"],
            3
        );
        // Nothing to retain leaves no trace.
        assert_eq!(retained("Foo", json!({}), json!({}), true), json!({}));
    }

    #[test]
    fn services_keep_their_addresses() {
        let observed = json!({"metadata": {}, "spec": {
            "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "healthCheckNodePort": 0,
            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}, {"name": "x", "port": 81, "protocol": "UDP", "nodePort": 30002}],
        }});
        let desired = json!({"metadata": {}, "spec": {"ports": [{"port": 80}, {"name": "x", "port": 81, "protocol": "TCP"}]}});
        assert_eq!(
            retained("Service", desired, observed, false)["spec"],
            json!({
                "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
                "ports": [{"port": 80, "nodePort": 30001}, {"name": "x", "port": 81, "protocol": "TCP"}],
            })
        );
    }

    #[test]
    fn service_accounts_keep_generated_secrets() {
        let observed = json!({"secrets": [{"name": "generated"}]});
        assert_eq!(
            retained("ServiceAccount", json!({}), observed.clone(), false),
            observed
        );
        let own = json!({"secrets": [{"name": "own"}]});
        assert_eq!(
            retained("ServiceAccount", own.clone(), observed, false),
            own
        );
    }
}
