//! What the server fills into a Service (`SetDefaults_Service`).

use serde_json::{Map, Value, json};

use super::super::default;
use super::super::pod::members;

pub(super) fn fill(spec: &mut Map<String, Value>) {
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec["sessionAffinity"] == "ClientIP" {
        default(spec, "sessionAffinityConfig", json!({}));
        let config = &mut spec["sessionAffinityConfig"];
        if config["clientIP"]["timeoutSeconds"].is_null() {
            config["clientIP"]["timeoutSeconds"] = 10_800.into();
        }
    } else {
        spec.remove("sessionAffinityConfig");
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        default(spec, "internalTrafficPolicy", "Cluster");
        families(spec);
    }
    if is_reached_from_outside(spec) {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    for port in members(spec, "ports") {
        default(port, "protocol", "TCP");
        let target = port.get("port").cloned().unwrap_or(Value::Null);
        default(port, "targetPort", target);
    }
}

/// A Service whose endpoints somebody else makes may have any addresses.
fn families(spec: &mut Map<String, Value>) {
    let has = |field: &str| spec.get(field).is_some_and(|value| !value.is_null());
    let selects = spec
        .get("selector")
        .and_then(Value::as_object)
        .is_some_and(|selector| !selector.is_empty());
    let headless = spec.get("clusterIP").is_some_and(|ip| ip == "None");
    if headless && !selects && !has("ipFamilyPolicy") && !has("ipFamilies") {
        default(spec, "ipFamilyPolicy", "RequireDualStack");
        default(spec, "ipFamilies", json!(["IPv4", "IPv6"]));
    } else {
        default(spec, "ipFamilyPolicy", "SingleStack");
        default(spec, "ipFamilies", json!(["IPv4"]));
    }
}

/// Do clients reach it from outside the cluster?
pub(super) fn is_reached_from_outside(spec: &Map<String, Value>) -> bool {
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default();
    let addresses = spec.get("externalIPs").and_then(Value::as_array);
    matches!(kind, "NodePort" | "LoadBalancer")
        || kind == "ClusterIP" && addresses.is_some_and(|list| !list.is_empty())
}
