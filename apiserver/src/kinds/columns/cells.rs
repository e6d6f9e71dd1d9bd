//! Cells that are computed from an object.

use jiff::Timestamp;
use serde_json::Value;

use crate::codec::since;

const NONE: &str = "<none>";
const UNSET: &str = "<unset>";

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(super) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub(super) fn or_none(text: String) -> Value {
    if text.is_empty() {
        NONE.into()
    } else {
        text.into()
    }
}

/// Time since creation.
pub(super) fn age(object: &Value, now: Timestamp) -> Value {
    since(text(object, "/metadata/creationTimestamp"), now).into()
}

/// The time of creation itself, as `kubectl get crd` shows it.
pub(super) fn created(object: &Value, _: Timestamp) -> Value {
    text(object, "/metadata/creationTimestamp").into()
}

/// How many entries a ConfigMap or Secret has.
pub(super) fn data(object: &Value, _: Timestamp) -> Value {
    let count = |field: &str| {
        object
            .get(field)
            .and_then(Value::as_object)
            .map_or(0, serde_json::Map::len)
    };
    (count("data") + count("binaryData")).into()
}

pub(super) fn webhooks(object: &Value, _: Timestamp) -> Value {
    list(object, "/webhooks").len().into()
}

pub(super) fn role_ref(object: &Value, _: Timestamp) -> Value {
    format!(
        "{}/{}",
        text(object, "/roleRef/kind"),
        text(object, "/roleRef/name")
    )
    .into()
}

pub(super) fn cluster_ip(object: &Value, _: Timestamp) -> Value {
    or_none(text(object, "/spec/clusterIP").to_owned())
}

pub(super) fn external_ip(object: &Value, _: Timestamp) -> Value {
    let mut all: Vec<String> = Vec::new();
    match text(object, "/spec/type") {
        "ExternalName" => all.push(text(object, "/spec/externalName").to_owned()),
        "LoadBalancer" => {
            for ingress in list(object, "/status/loadBalancer/ingress") {
                let ip = text(ingress, "/ip");
                all.push(
                    if ip.is_empty() {
                        text(ingress, "/hostname")
                    } else {
                        ip
                    }
                    .to_owned(),
                );
            }
            if all.is_empty() {
                return "<pending>".into();
            }
        }
        _ => {}
    }
    all.extend(
        list(object, "/spec/externalIPs")
            .iter()
            .filter_map(|ip| ip.as_str().map(str::to_owned)),
    );
    or_none(all.join(","))
}

pub(super) fn ports(object: &Value, _: Timestamp) -> Value {
    let ports: Vec<String> = list(object, "/spec/ports")
        .iter()
        .map(|port| {
            let protocol = match text(port, "/protocol") {
                "" => "TCP",
                given => given,
            };
            match number(port, "/nodePort") {
                0 => format!("{}/{protocol}", number(port, "/port")),
                node => format!("{}:{node}/{protocol}", number(port, "/port")),
            }
        })
        .collect();
    or_none(ports.join(","))
}

fn labels(object: &Value, pointer: &str) -> String {
    let labels = object.pointer(pointer).and_then(Value::as_object);
    let terms: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    terms.join(",")
}

pub(super) fn service_selector(object: &Value, _: Timestamp) -> Value {
    or_none(labels(object, "/spec/selector"))
}

pub(super) fn selector(object: &Value, _: Timestamp) -> Value {
    or_none(labels(object, "/spec/selector/matchLabels"))
}

pub(super) fn node_selector(object: &Value, _: Timestamp) -> Value {
    or_none(labels(object, "/spec/template/spec/nodeSelector"))
}

fn of_containers(object: &Value, field: &str) -> Value {
    let texts: Vec<&str> = list(object, "/spec/template/spec/containers")
        .iter()
        .map(|container| text(container, field))
        .collect();
    texts.join(",").into()
}

pub(super) fn containers(object: &Value, _: Timestamp) -> Value {
    of_containers(object, "/name")
}

pub(super) fn images(object: &Value, _: Timestamp) -> Value {
    of_containers(object, "/image")
}

pub(super) fn ready_replicas(object: &Value, _: Timestamp) -> Value {
    format!(
        "{}/{}",
        number(object, "/status/readyReplicas"),
        number(object, "/spec/replicas")
    )
    .into()
}

pub(super) fn desired_replicas(object: &Value, _: Timestamp) -> Value {
    number(object, "/spec/replicas").into()
}

pub(super) fn current_replicas(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/replicas").into()
}

pub(super) fn ready_count(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/readyReplicas").into()
}

pub(super) fn updated_replicas(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/updatedReplicas").into()
}

pub(super) fn available_replicas(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/availableReplicas").into()
}

pub(super) fn desired_scheduled(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/desiredNumberScheduled").into()
}

pub(super) fn current_scheduled(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/currentNumberScheduled").into()
}

pub(super) fn number_ready(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/numberReady").into()
}

pub(super) fn updated_scheduled(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/updatedNumberScheduled").into()
}

pub(super) fn number_available(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/numberAvailable").into()
}

pub(super) fn endpoints(object: &Value, _: Timestamp) -> Value {
    let mut all = Vec::new();
    for subset in list(object, "/subsets") {
        for address in list(subset, "/addresses") {
            let ip = text(address, "/ip");
            let ports = list(subset, "/ports");
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(
                ports
                    .iter()
                    .map(|port| format!("{ip}:{}", number(port, "/port"))),
            );
        }
    }
    const SHOWN: usize = 3;
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let shown = all.join(",");
    if more > 0 {
        format!("{shown} + {more} more...").into()
    } else {
        or_none(shown)
    }
}

fn job_condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == kind && text(c, "/status") == "True")
}

pub(super) fn job_status(object: &Value, _: Timestamp) -> Value {
    for (condition, word) in [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
    ] {
        if job_condition(object, condition).is_some() {
            return word.into();
        }
    }
    if text(object, "/metadata/deletionTimestamp").is_empty() {
        "Running"
    } else {
        "Terminating"
    }
    .into()
}

pub(super) fn completions(object: &Value, _: Timestamp) -> Value {
    let done = number(object, "/status/succeeded");
    match object.pointer("/spec/completions").and_then(Value::as_i64) {
        Some(wanted) => format!("{done}/{wanted}").into(),
        None => format!("{done}/1").into(),
    }
}

pub(super) fn job_duration(object: &Value, now: Timestamp) -> Value {
    let start = text(object, "/status/startTime");
    if start.is_empty() {
        return "".into();
    }
    let end = text(object, "/status/completionTime")
        .parse()
        .unwrap_or(now);
    since(start, end).into()
}

fn first_text<'a>(object: &'a Value, pointers: &[&str]) -> &'a str {
    pointers
        .iter()
        .map(|pointer| text(object, pointer))
        .find(|t| !t.is_empty())
        .unwrap_or_default()
}

pub(super) fn last_seen(object: &Value, now: Timestamp) -> Value {
    let time = first_text(
        object,
        &[
            "/series/lastObservedTime",
            "/lastTimestamp",
            "/deprecatedLastTimestamp",
            "/eventTime",
        ],
    );
    since(time, now).into()
}

pub(super) fn first_seen(object: &Value, now: Timestamp) -> Value {
    let time = first_text(
        object,
        &["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"],
    );
    since(time, now).into()
}

pub(super) fn involved(object: &Value, _: Timestamp) -> Value {
    let kind = first_text(object, &["/involvedObject/kind", "/regarding/kind"]).to_lowercase();
    let name = first_text(object, &["/involvedObject/name", "/regarding/name"]);
    if name.is_empty() {
        kind.into()
    } else {
        format!("{kind}/{name}").into()
    }
}

/// The part of the object that an Event is about.
pub(super) fn subobject(object: &Value, _: Timestamp) -> Value {
    text(object, "/involvedObject/fieldPath").into()
}

pub(super) fn source(object: &Value, _: Timestamp) -> Value {
    let component = first_text(
        object,
        &[
            "/source/component",
            "/reportingComponent",
            "/reportingController",
        ],
    );
    let host = first_text(object, &["/source/host", "/reportingInstance"]);
    if host.is_empty() {
        component.into()
    } else {
        format!("{component}, {host}").into()
    }
}

pub(super) fn message(object: &Value, _: Timestamp) -> Value {
    first_text(object, &["/message", "/note"]).trim().into()
}

pub(super) fn count(object: &Value, _: Timestamp) -> Value {
    let series = number(object, "/series/count");
    let count = if series > 0 {
        series
    } else {
        number(object, "/count")
    };
    if count == 0 {
        UNSET.into()
    } else {
        count.to_string().into()
    }
}
