//! The rules of Services (`ValidateService`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::json;

use super::super::at::{At, Findings, Taken};
use crate::kinds::NameRule;

/// The longest time in seconds for which a client may be held to one Pod.
const LONGEST: i64 = 86_400;

pub(super) fn spec(spec: &At<'_>, out: &mut Findings) {
    let kind = spec.field("type").text();
    let address = spec.field("clusterIP").text();
    if spec.field("ports").is_empty() && address != "None" && kind != "ExternalName" {
        out.push(spec.field("ports").required(""));
    }
    by_type(spec, kind, out);
    ports(spec, kind, out);
    spec.field("selector").labels(out);
    affinity(spec, out);
    addresses(spec, kind, out);
    spec.field("type").one_of(
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        out,
    );
    duplicates(&spec.field("ports"), out);
    balancer(spec, kind, out);
    policies(spec, kind, out);
}

fn by_type(spec: &At<'_>, kind: &str, out: &mut Findings) {
    let addresses = spec.field("clusterIPs");
    match kind {
        "ExternalName" => {
            if !spec.field("clusterIP").text().is_empty() {
                out.push(addresses.forbidden("may not be set for ExternalName services"));
            }
            let name = spec.field("externalName");
            if name.text().is_empty() {
                out.push(name.required(""));
            } else {
                name.name(NameRule::Subdomain, out);
            }
        }
        "NodePort" | "LoadBalancer" if spec.field("clusterIP").text() == "None" => {
            let detail = format!("may not be set to 'None' for {kind} services");
            out.push(addresses.key("0").invalid_value(&"None".into(), detail));
        }
        _ => {}
    }
}

fn ports(spec: &At<'_>, kind: &str, out: &mut Findings) {
    let mut names = Taken::default();
    let several = spec.field("ports").items().count() > 1;
    for port in spec.field("ports").items() {
        let name = port.field("name");
        if name.text().is_empty() {
            if several {
                out.push(name.required(""));
            }
        } else {
            name.name(NameRule::Label, out);
            names.take(&name, out);
        }
        port.field("port").port(out);
        port.field("protocol").one_of(&["SCTP", "TCP", "UDP"], out);
        port.field("targetPort").port(out);
        let node = port.field("nodePort");
        if kind == "ClusterIP" && node.number().unwrap_or(0) != 0 {
            out.push(node.forbidden("may not be used when `type` is 'ClusterIP'"));
        }
    }
}

/// One port of one protocol is there once.
fn duplicates(ports: &At<'_>, out: &mut Findings) {
    let mut taken = BTreeSet::new();
    for port in ports.items() {
        let key = (port.field("protocol").text(), port.field("port").number());
        if !taken.insert(key) {
            let twin = json!({"port": key.1, "protocol": key.0});
            out.push(port.duplicate(&twin));
        }
    }
}

fn affinity(spec: &At<'_>, out: &mut Findings) {
    spec.field("sessionAffinity")
        .one_of(&["ClientIP", "None"], out);
    let time = spec.down(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"]);
    if time
        .number()
        .is_some_and(|seconds| !(1..=LONGEST).contains(&seconds))
    {
        out.push(time.invalid("must be greater than 0 and less than 86400"));
    }
}

fn addresses(spec: &At<'_>, kind: &str, out: &mut Findings) {
    let address = spec.field("clusterIP").text();
    if kind != "ExternalName" && !matches!(address, "" | "None") {
        let first = spec.field("clusterIPs").key("0");
        let at = At {
            value: spec.field("clusterIP").value,
            path: first.path,
        };
        at.ip(out);
    }
    for family in spec.field("ipFamilies").items() {
        family.one_of(&["IPv4", "IPv6"], out);
    }
    spec.field("ipFamilyPolicy")
        .one_of_if_set(&["PreferDualStack", "RequireDualStack", "SingleStack"], out);
    let selects = !spec.field("selector").is_empty();
    for family in spec.field("ipFamilies").items() {
        if family.text() == "IPv6" && (address != "None" || selects) {
            out.push(family.invalid("not configured on this cluster"));
        }
    }
    for address in spec.field("externalIPs").items() {
        let before = out.len();
        address.ip(out);
        if out.len() == before {
            not_special(&address, out);
        }
    }
}

/// An address that other machines can reach.
pub(in super::super) fn not_special(at: &At<'_>, out: &mut Findings) {
    let Ok(ip) = at.text().parse::<IpAddr>() else {
        return;
    };
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let detail = if ip.is_unspecified() {
        format!("may not be unspecified ({ip})")
    } else if ip.is_loopback() {
        "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()
    } else if link_local {
        "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()
    } else {
        return;
    };
    out.push(at.invalid(detail));
}

fn balancer(spec: &At<'_>, kind: &str, out: &mut Findings) {
    let ranges = At {
        value: spec.field("loadBalancerSourceRanges").value,
        path: format!("{}.LoadBalancerSourceRanges", spec.path),
    };
    if !ranges.is_empty() && kind != "LoadBalancer" {
        out.push(ranges.forbidden("may only be used when `type` is 'LoadBalancer'"));
    }
    if kind == "LoadBalancer" {
        ranges.items().for_each(|range| range.cidr(out));
    }
    let class = spec.field("loadBalancerClass");
    if class.is_set() && kind != "LoadBalancer" {
        out.push(class.forbidden("may only be used when `type` is 'LoadBalancer'"));
    }
    let allocate = spec.field("allocateLoadBalancerNodePorts");
    if allocate.is_set() && kind != "LoadBalancer" {
        out.push(allocate.forbidden("may only be used when `type` is 'LoadBalancer'"));
    }
}

fn policies(spec: &At<'_>, kind: &str, out: &mut Findings) {
    let words = ["Cluster", "Local"];
    let outside = spec.field("externalTrafficPolicy");
    if spec
        .value
        .as_object()
        .is_some_and(super::defaults::is_reached_from_outside)
    {
        outside.one_of(&words, out);
    } else if outside.is_set() {
        out.push(outside.invalid("may only be set for externally-accessible services"));
    }
    let health = spec.field("healthCheckNodePort");
    let checked = kind == "LoadBalancer" && outside.text() == "Local";
    if health.number().unwrap_or(0) != 0 && !checked {
        out.push(health.invalid(
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ));
    }
    spec.field("internalTrafficPolicy")
        .one_of_if_set(&words, out);
}

/// What a balancer reports.
pub(super) fn status(status: &At<'_>, spec: &At<'_>, out: &mut Findings) {
    let ingress = status.down(&["loadBalancer", "ingress"]);
    if !ingress.is_empty() && spec.field("type").text() != "LoadBalancer" {
        out.push(ingress.forbidden("may only be used when `spec.type` is 'LoadBalancer'"));
    }
}
