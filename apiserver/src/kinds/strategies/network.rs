//! Ingresses, NetworkPolicies and disruption budgets.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::at::{At, Findings};
use super::pod::members;
use super::{default, map};
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Ingress,
    Policy,
    Budget,
}

impl Strategy for Network {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        self.fill(object);
        match self {
            Self::Ingress => object["status"] = json!({"loadBalancer": {}}),
            Self::Policy => {}
            Self::Budget => {
                object["status"] = json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0});
            }
        }
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        self.fill(object);
    }

    fn validate(
        &self,
        object: &Value,
        _old: Option<&Value>,
        context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        if context.subresource == "status" {
            return out;
        }
        let spec = At::top(object, "spec");
        match self {
            Self::Ingress => ingress(&spec, &mut out),
            Self::Policy => policy(&spec, &mut out),
            Self::Budget => budget(&spec, &mut out),
        }
        out
    }

    fn judges_alone(&self) -> bool {
        true
    }
}

impl Network {
    fn fill(self, object: &mut Value) {
        if self != Self::Policy {
            return;
        }
        let spec = map(object, "spec");
        for list in ["ingress", "egress"] {
            for port in members(spec, list).flat_map(|rule| members(rule, "ports")) {
                default(port, "protocol", "TCP");
            }
        }
        let leaves = spec.get("egress").and_then(Value::as_array);
        let leaves = leaves.is_some_and(|rules| !rules.is_empty());
        let types = if leaves {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        };
        default(spec, "policyTypes", types);
    }
}

fn ingress(spec: &At<'_>, out: &mut Findings) {
    let fallback = spec.field("defaultBackend");
    if spec.field("rules").is_empty() && !fallback.is_set() {
        out.push(spec.invalid_value(
            &Value::Null,
            "either `defaultBackend` or `rules` must be specified",
        ));
    }
    if fallback.is_set() {
        backend(&fallback, out);
    }
    for rule in spec.field("rules").items() {
        host(&rule.field("host"), out);
        let http = rule.field("http");
        if http.is_set() {
            let paths = http.field("paths");
            if paths.is_empty() {
                out.push(paths.required(""));
            }
            paths.items().for_each(|path| self::path(&path, out));
        }
    }
    for host in spec
        .field("tls")
        .items()
        .flat_map(|tls| tls.field("hosts").items())
    {
        self::host(&host, out);
    }
    spec.field("ingressClassName")
        .name(NameRule::Subdomain, out);
}

fn host(host: &At<'_>, out: &mut Findings) {
    let text = host.text();
    if text.parse::<IpAddr>().is_ok() {
        out.push(host.invalid("must be a DNS name, not an IP address"));
    }
    match text.strip_prefix("*.") {
        Some(rest) => {
            let problems = crate::verbs::name_problems(NameRule::Subdomain, rest, false);
            out.extend(problems.into_iter().map(|problem| host.invalid(problem)));
        }
        None => host.name(NameRule::Subdomain, out),
    }
}

fn path(path: &At<'_>, out: &mut Findings) {
    let (kind, text) = (path.field("pathType"), path.field("path"));
    match kind.text() {
        "" => out.push(kind.required("pathType must be specified")),
        "Exact" | "Prefix" => {
            if !text.text().starts_with('/') {
                out.push(text.invalid_value(&text.text().into(), "must be an absolute path"));
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.text().contains(part) {
                    out.push(text.invalid(format!("must not contain '{part}'")));
                }
            }
            for end in ["/..", "/."] {
                if text.text().ends_with(end) {
                    out.push(text.invalid(format!("cannot end with '{end}'")));
                }
            }
        }
        "ImplementationSpecific" => {
            if !text.text().is_empty() && !text.text().starts_with('/') {
                out.push(text.invalid("must be an absolute path"));
            }
        }
        _ => out.push(kind.unsupported(&["Exact", "ImplementationSpecific", "Prefix"])),
    }
    backend(&path.field("backend"), out);
}

fn backend(backend: &At<'_>, out: &mut Findings) {
    let (service, resource) = (backend.field("service"), backend.field("resource"));
    let nothing = Value::from("");
    if resource.is_set() && service.is_set() {
        let detail = "cannot set both resource and service backends";
        out.push(backend.invalid_value(&nothing, detail));
        return;
    }
    if !resource.is_set() && !service.is_set() {
        let detail = "resource or service backend is required";
        out.push(backend.invalid_value(&nothing, detail));
        return;
    }
    if resource.is_set() {
        return;
    }
    let name = service.field("name");
    if name.text().is_empty() {
        out.push(name.required(""));
    } else {
        name.name(NameRule::Label1035, out);
    }
    let port = service.field("port");
    let (number, word) = (port.field("number"), port.field("name"));
    match (number.number().unwrap_or(0) != 0, !word.text().is_empty()) {
        (true, true) => {
            let detail = "cannot set both port name & port number";
            out.push(backend.invalid_value(&nothing, detail));
        }
        (true, false) => number.port(out),
        (false, true) => word.port(out),
        (false, false) => out.push(backend.required("port name or number is required")),
    }
}

fn policy(spec: &At<'_>, out: &mut Findings) {
    spec.field("podSelector").label_selector(out);
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.field(list).items() {
            for port in rule.field("ports").items() {
                port.field("protocol").one_of(&["TCP", "UDP", "SCTP"], out);
                let number = port.field("port");
                if number.is_set() {
                    number.port(out);
                }
            }
            rule.field(peers)
                .items()
                .for_each(|peer| self::peer(&peer, out));
        }
    }
    let types = spec.field("policyTypes");
    for kind in types.items() {
        kind.one_of(&["Ingress", "Egress"], out);
    }
}

fn peer(peer: &At<'_>, out: &mut Findings) {
    let kinds = ["podSelector", "namespaceSelector", "ipBlock"];
    let set = kinds.map(|kind| peer.field(kind).is_set());
    let block = peer.field("ipBlock");
    if set == [false; 3] {
        out.push(peer.required("must specify a peer"));
    } else if set[2] && (set[0] || set[1]) {
        out.push(peer.forbidden("may not specify both ipBlock and another peer"));
    }
    peer.field("podSelector").label_selector(out);
    peer.field("namespaceSelector").label_selector(out);
    if block.is_set() {
        block.field("cidr").cidr(out);
        block.field("except").items().for_each(|one| one.cidr(out));
    }
}

fn budget(spec: &At<'_>, out: &mut Findings) {
    let amounts = ["minAvailable", "maxUnavailable"].map(|field| spec.field(field));
    if amounts.iter().all(At::is_set) {
        out.push(spec.invalid("minAvailable and maxUnavailable cannot be both set"));
    }
    for amount in amounts {
        amount.amount(out);
        if super::at::percent(amount.text()).is_some_and(|percent| percent > 100) {
            out.push(amount.invalid("must not be greater than 100%"));
        }
    }
    spec.field("selector").label_selector(out);
}
