//! What containers ask for and are limited to, and the class of service that follows from it.

use serde_json::Value;

use super::super::at::{At, Findings};
use super::super::quantity;

/// The resources that every container may name without a domain.
const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

pub(super) fn validate(resources: &At<'_>, out: &mut Findings) {
    let limits = resources.field("limits");
    for list in [&limits, &resources.field("requests")] {
        for (name, at) in list.entries() {
            resource_name(name, &at, out);
            quantity_of(&at, out);
        }
    }
    let requests = resources.field("requests");
    for (name, request) in requests.entries() {
        let limit = limits.key(name);
        let (Some(asked), Some(most)) = (
            quantity::parse(request.text()),
            quantity::parse(limit.text()),
        ) else {
            continue;
        };
        if asked > most {
            let detail = format!(
                "must be less than or equal to {name} limit of {}",
                limit.text()
            );
            out.push(requests.invalid_value(request.value, detail));
        }
    }
}

fn resource_name(name: &str, at: &At<'_>, out: &mut Findings) {
    let standard = STANDARD.contains(&name) || name.starts_with("hugepages-");
    if standard || name.contains('/') {
        return;
    }
    for detail in [
        "must be a standard resource type or fully qualified",
        "must be a standard resource for containers",
    ] {
        out.push(at.invalid_value(&name.into(), detail));
    }
}

/// A quantity that is not below zero.
pub(in super::super) fn quantity_of(at: &At<'_>, out: &mut Findings) {
    if quantity::parse(at.text()).is_some_and(|amount| amount < 0) {
        out.push(at.invalid("must be greater than or equal to 0"));
    }
}

/// `status.qosClass` of a Pod's spec.
pub(super) fn class(spec: &Value) -> &'static str {
    let lists = ["containers", "initContainers"];
    let containers = lists.iter().filter_map(|list| spec[*list].as_array());
    let (mut any, mut all) = (false, true);
    for container in containers.flatten() {
        let resources = &container["resources"];
        for name in ["cpu", "memory"] {
            let of = |list: &str| {
                let text = resources[list][name].as_str()?;
                quantity::parse(text).filter(|amount| *amount > 0)
            };
            let (request, limit) = (of("requests"), of("limits"));
            any |= request.is_some() || limit.is_some();
            all &= limit.is_some() && (request == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
