//! Services. Addresses and node ports are given by admission (`admit::services`), which knows what is taken.

use serde_json::Value;

use super::{default, map};
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::status::FieldError;

pub(super) struct Services;

impl Strategy for Services {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        fill(object);
        map(object, "status").insert(
            "loadBalancer".to_owned(),
            Value::Object(serde_json::Map::new()),
        );
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _context: &StrategyContext<'_>) {
        fill(object);
        keep(object, old);
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = &object["spec"];
        let external = spec["type"] == "ExternalName";
        if spec["ports"].as_array().is_none_or(Vec::is_empty)
            && !external
            && spec["clusterIP"] != "None"
        {
            errors.push(FieldError::required("spec.ports", ""));
        }
        if external && spec["externalName"].as_str().unwrap_or_default().is_empty() {
            errors.push(FieldError::required("spec.externalName", ""));
        }
        if let Some(old) = old
            && !external
            && old["spec"]["type"] != "ExternalName"
        {
            let (new_ip, old_ip) = (&spec["clusterIP"], &old["spec"]["clusterIP"]);
            if !old_ip.as_str().unwrap_or_default().is_empty() && new_ip != old_ip {
                for path in ["spec.clusterIPs[0]", "spec.clusterIP"] {
                    errors.push(FieldError::invalid(path, new_ip, "may not change once set"));
                }
            }
        }
        errors
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Label1035
    }

    fn tracks_generation(&self) -> bool {
        false
    }
}

fn fill(object: &mut Value) {
    let spec = map(object, "spec");
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    let service_type = spec["type"].as_str().unwrap_or_default().to_owned();
    if service_type != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
        default(spec, "ipFamilyPolicy", "SingleStack");
        default(spec, "ipFamilies", serde_json::json!(["IPv4"]));
    }
    if matches!(service_type.as_str(), "NodePort" | "LoadBalancer") {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if service_type == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(port, "protocol", "TCP");
        let target = port.get("port").cloned().unwrap_or(Value::Null);
        default(port, "targetPort", target);
    }
}

/// What the server allocated stays if the client leaves it out (`patchAllocatedValues`).
fn keep(object: &mut Value, old: &Value) {
    let before = &old["spec"];
    let spec = map(object, "spec");
    if spec["type"] == "ExternalName" || before["type"] == "ExternalName" {
        return;
    }
    for field in ["clusterIP", "clusterIPs"] {
        if !before[field].is_null() {
            default(spec, field, before[field].clone());
        }
    }
    if spec["clusterIP"] == "" {
        spec.insert("clusterIP".to_owned(), before["clusterIP"].clone());
    }
    if !matches!(spec["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
        return;
    }
    if spec
        .get("externalTrafficPolicy")
        .is_some_and(|p| p == "Local")
        && !before["healthCheckNodePort"].is_null()
    {
        default(
            spec,
            "healthCheckNodePort",
            before["healthCheckNodePort"].clone(),
        );
    }
    let known: Vec<Value> = before["ports"].as_array().cloned().unwrap_or_default();
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let twin = known
            .iter()
            .find(|k| k["port"] == port["port"] && k["protocol"] == port["protocol"]);
        if let Some(given) = twin.map(|k| k["nodePort"].clone()).filter(|n| !n.is_null()) {
            default(port, "nodePort", given);
        }
    }
}
