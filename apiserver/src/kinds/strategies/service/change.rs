//! What becomes of a Service that changes: what the server gave it stays, and goes with the type that needed it.

use serde_json::{Map, Value};

use super::super::at::{At, Findings};
use super::super::default;
use super::super::pod::members;
use super::defaults::is_reached_from_outside;

type Spec = Map<String, Value>;

fn kind(spec: &Spec) -> &str {
    text(spec, "type")
}

fn text<'a>(spec: &'a Spec, field: &str) -> &'a str {
    spec.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn has_address(spec: &Spec) -> bool {
    kind(spec) != "ExternalName"
}

fn has_node_ports(spec: &Spec) -> bool {
    matches!(kind(spec), "NodePort" | "LoadBalancer")
}

fn has_balancer(spec: &Spec) -> bool {
    kind(spec) == "LoadBalancer"
}

fn has_health_port(spec: &Spec) -> bool {
    has_balancer(spec) && text(spec, "externalTrafficPolicy") == "Local"
}

/// Who has a use for some fields, and which these are.
type Use = (fn(&Spec) -> bool, &'static [&'static str]);

const USES: [Use; 6] = [
    (has_address, &["clusterIP", "clusterIPs"]),
    (has_address, &["ipFamilies", "ipFamilyPolicy"]),
    (has_address, &["internalTrafficPolicy"]),
    (has_balancer, &["allocateLoadBalancerNodePorts"]),
    (has_balancer, &["loadBalancerClass"]),
    (is_reached_from_outside, &["externalTrafficPolicy"]),
];

/// Removes what the new type has no use for, unless the client changed it (`dropTypeDependentFields`).
pub(super) fn drop_unneeded(spec: &mut Spec, old: &Spec) {
    let same = |spec: &Spec, field: &str| spec.get(field) == old.get(field);
    if has_health_port(old) && !has_health_port(spec) && same(spec, "healthCheckNodePort") {
        spec.remove("healthCheckNodePort");
    }
    for (needs, fields) in USES {
        if needs(old) && !needs(spec) && fields.iter().all(|field| same(spec, field)) {
            fields.iter().for_each(|field| {
                spec.remove(*field);
            });
        }
    }
    let numbers = |spec: &Spec| -> Vec<Value> {
        let ports = spec.get("ports").and_then(Value::as_array);
        let ports = ports.into_iter().flatten();
        ports.map(|port| port["nodePort"].clone()).collect()
    };
    if has_node_ports(old) && !has_node_ports(spec) && numbers(spec) == numbers(old) {
        for port in members(spec, "ports") {
            port.remove("nodePort");
        }
    }
}

/// What the server allocated stays if the client leaves it out (`patchAllocatedValues`).
pub(super) fn keep(spec: &mut Spec, old: &Spec) {
    if !has_address(spec) || !has_address(old) {
        return;
    }
    if text(spec, "clusterIP").is_empty() {
        for field in ["clusterIP", "clusterIPs"] {
            if let Some(given) = old.get(field) {
                spec.insert(field.to_owned(), given.clone());
            }
        }
    }
    if !has_node_ports(spec) || !has_node_ports(old) {
        return;
    }
    if let Some(given) = old
        .get("healthCheckNodePort")
        .filter(|_| has_health_port(spec))
    {
        default(spec, "healthCheckNodePort", given.clone());
    }
    let known: Vec<Value> = old
        .get("ports")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for port in members(spec, "ports") {
        let is_twin = |k: &&Value| {
            Some(&k["port"]) == port.get("port") && Some(&k["protocol"]) == port.get("protocol")
        };
        let given = known
            .iter()
            .find(is_twin)
            .map(|twin| twin["nodePort"].clone());
        if let Some(given) = given.filter(|number| !number.is_null()) {
            default(port, "nodePort", given);
        }
    }
}

/// An address that was given does not change.
pub(super) fn validate(spec: &At<'_>, old: &Value, out: &mut Findings) {
    let named = |kind: &str| kind == "ExternalName";
    let before = old["clusterIP"].as_str().unwrap_or_default();
    if named(spec.field("type").text())
        || named(old["type"].as_str().unwrap_or_default())
        || before.is_empty()
        || spec.field("clusterIP").text() == before
    {
        return;
    }
    let addresses = Value::from(vec![spec.field("clusterIP").value.clone()]);
    let first = spec.field("clusterIPs").key("0");
    out.push(first.invalid_value(&addresses, "may not change once set"));
}
