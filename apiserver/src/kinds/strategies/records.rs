//! Leases, Endpoints and EndpointSlices.

use serde_json::Value;

use super::at::{At, Findings, Taken};
use super::default;
use super::pod::members;
use super::service::not_special;
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    Lease,
    Endpoints,
    EndpointSlice,
}

impl Strategy for Record {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        self.fill(object);
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        self.fill(object);
    }

    fn validate(
        &self,
        object: &Value,
        _old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        match self {
            Self::Lease => {
                let spec = At::top(object, "spec");
                let duration = spec.field("leaseDurationSeconds");
                if duration.number().is_some_and(|seconds| seconds <= 0) {
                    out.push(duration.invalid("must be greater than 0"));
                }
                spec.field("leaseTransitions").not_negative(&mut out);
            }
            Self::Endpoints => {
                for subset in At::top(object, "subsets").items() {
                    self::subset(&subset, &mut out);
                }
            }
            Self::EndpointSlice => slice(object, &mut out),
        }
        out
    }

    fn tracks_generation(&self) -> bool {
        *self == Self::EndpointSlice
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }
}

impl Record {
    fn fill(self, object: &mut Value) {
        let Some(fields) = object.as_object_mut() else {
            return;
        };
        match self {
            Self::Lease => {
                // The feature of coordinated leader election is not there.
                if let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) {
                    spec.remove("strategy");
                    spec.remove("preferredHolder");
                }
            }
            Self::Endpoints => {
                for port in members(fields, "subsets").flat_map(|subset| members(subset, "ports")) {
                    default(port, "protocol", "TCP");
                }
            }
            Self::EndpointSlice => {
                for endpoint in members(fields, "endpoints") {
                    // Of v1beta1; v1 never takes it.
                    endpoint.remove("deprecatedTopology");
                }
                for port in members(fields, "ports") {
                    default(port, "name", "");
                    default(port, "protocol", "TCP");
                }
            }
        }
    }
}

fn subset(subset: &At<'_>, out: &mut Findings) {
    let lists = ["addresses", "notReadyAddresses"].map(|list| subset.field(list));
    if lists.iter().all(At::is_empty) {
        out.push(subset.required("must specify `addresses` or `notReadyAddresses`"));
    }
    for address in lists.iter().flat_map(At::items) {
        let ip = address.field("ip");
        let before = out.len();
        ip.ip(out);
        if out.len() > before {
            // Upstream asks twice.
            out.push(ip.invalid("must be a valid IP address"));
        } else {
            not_special(&ip, out);
        }
    }
    let several = subset.field("ports").items().count() > 1;
    for port in subset.field("ports").items() {
        let name = port.field("name");
        if name.text().is_empty() && several {
            out.push(name.required(""));
        }
        name.name(NameRule::Label, out);
        port.field("port").port(out);
        port.field("protocol").one_of(&["SCTP", "TCP", "UDP"], out);
    }
}

fn slice(object: &Value, out: &mut Findings) {
    let kind = At::top(object, "addressType");
    let known = ["FQDN", "IPv4", "IPv6"];
    if kind.is_set() && !known.contains(&kind.text()) {
        out.push(kind.unsupported(&known));
    }
    for endpoint in At::top(object, "endpoints").items() {
        let addresses = endpoint.field("addresses");
        if addresses.is_empty() {
            out.push(addresses.required("must contain at least 1 address"));
        }
        for address in addresses.items() {
            match kind.text() {
                "FQDN" => address.name(NameRule::Subdomain, out),
                "IPv4" | "IPv6" => {
                    let before = out.len();
                    address.ip(out);
                    if out.len() == before {
                        not_special(&address, out);
                    }
                }
                _ => {}
            }
        }
    }
    let mut names = Taken::default();
    for port in At::top(object, "ports").items() {
        names.take(&port.field("name"), out);
    }
}
