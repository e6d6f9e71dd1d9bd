//! Cells of the kinds that are looked at less often: CronJobs, Ingresses, disruption budgets, claims, bindings.

use jiff::Timestamp;
use serde_json::Value;

use super::cells::{list, number, or_none, text};
use crate::codec::since;

const UNSET: &str = "<unset>";

fn joined(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(",")
}

pub(super) fn zone(object: &Value, _: Timestamp) -> Value {
    or_none(text(object, "/spec/timeZone").to_owned())
}

pub(super) fn suspended(object: &Value, _: Timestamp) -> Value {
    match object.pointer("/spec/suspend") {
        Some(Value::Bool(true)) => "True".into(),
        Some(Value::Bool(false)) => "False".into(),
        _ => UNSET.into(),
    }
}

pub(super) fn active(object: &Value, _: Timestamp) -> Value {
    list(object, "/status/active").len().into()
}

pub(super) fn last_schedule(object: &Value, now: Timestamp) -> Value {
    match text(object, "/status/lastScheduleTime") {
        "" => "<none>".into(),
        time => since(time, now).into(),
    }
}

fn of_containers(object: &Value, field: &str) -> Value {
    let containers = list(object, "/spec/jobTemplate/spec/template/spec/containers");
    joined(
        containers
            .iter()
            .map(|c| c[field].as_str().unwrap_or_default().to_owned()),
    )
    .into()
}

pub(super) fn cron_containers(object: &Value, _: Timestamp) -> Value {
    of_containers(object, "name")
}

pub(super) fn cron_images(object: &Value, _: Timestamp) -> Value {
    of_containers(object, "image")
}

pub(super) fn cron_selector(object: &Value, _: Timestamp) -> Value {
    let labels = object.pointer("/spec/jobTemplate/spec/selector/matchLabels");
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    or_none(joined(labels.map(|(key, value)| {
        format!("{key}={}", value.as_str().unwrap_or_default())
    })))
}

pub(super) fn ingress_class(object: &Value, _: Timestamp) -> Value {
    or_none(text(object, "/spec/ingressClassName").to_owned())
}

pub(super) fn hosts(object: &Value, _: Timestamp) -> Value {
    const SHOWN: usize = 3;
    let rules = list(object, "/spec/rules").iter();
    let names: Vec<&str> = rules
        .filter_map(|rule| rule["host"].as_str().filter(|host| !host.is_empty()))
        .collect();
    match names.len() {
        0 => "*".into(),
        count if count > SHOWN => {
            format!("{} + {} more...", names[..SHOWN].join(","), count - SHOWN).into()
        }
        _ => names.join(",").into(),
    }
}

pub(super) fn balancer(object: &Value, _: Timestamp) -> Value {
    let ingress = list(object, "/status/loadBalancer/ingress").iter();
    let points = ingress.filter_map(|point| point["ip"].as_str().or(point["hostname"].as_str()));
    joined(points.map(str::to_owned)).into()
}

pub(super) fn ingress_ports(object: &Value, _: Timestamp) -> Value {
    match list(object, "/spec/tls").is_empty() {
        true => "80".into(),
        false => "80, 443".into(),
    }
}

fn amount(object: &Value, pointer: &str) -> Value {
    match object.pointer(pointer) {
        Some(Value::String(text)) => text.clone().into(),
        Some(Value::Number(number)) => number.to_string().into(),
        _ => "N/A".into(),
    }
}

pub(super) fn least(object: &Value, _: Timestamp) -> Value {
    amount(object, "/spec/minAvailable")
}

pub(super) fn most_missing(object: &Value, _: Timestamp) -> Value {
    amount(object, "/spec/maxUnavailable")
}

pub(super) fn disruptions(object: &Value, _: Timestamp) -> Value {
    number(object, "/status/disruptionsAllowed").into()
}

pub(super) fn phase(object: &Value, _: Timestamp) -> Value {
    let ends = object.pointer("/metadata/deletionTimestamp");
    match ends.is_some_and(|time| !time.is_null()) {
        true => "Terminating".into(),
        false => text(object, "/status/phase").into(),
    }
}

pub(super) fn volume(object: &Value, _: Timestamp) -> Value {
    text(object, "/spec/volumeName").into()
}

pub(super) fn capacity(object: &Value, _: Timestamp) -> Value {
    if text(object, "/spec/volumeName").is_empty() {
        return "".into();
    }
    text(object, "/status/capacity/storage").into()
}

pub(super) fn modes(object: &Value, _: Timestamp) -> Value {
    if text(object, "/spec/volumeName").is_empty() {
        return "".into();
    }
    let short = |mode: &Value| match mode.as_str().unwrap_or_default() {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let modes = list(object, "/status/accessModes").iter();
    joined(modes.map(|mode| short(mode).to_owned())).into()
}

pub(super) fn storage_class(object: &Value, _: Timestamp) -> Value {
    text(object, "/spec/storageClassName").into()
}

pub(super) fn attributes_class(object: &Value, _: Timestamp) -> Value {
    match text(object, "/spec/volumeAttributesClassName") {
        "" => UNSET.into(),
        name => name.into(),
    }
}

pub(super) fn volume_mode(object: &Value, _: Timestamp) -> Value {
    match text(object, "/spec/volumeMode") {
        "" => UNSET.into(),
        mode => mode.into(),
    }
}

fn subjects(object: &Value, kind: &str) -> Value {
    let subjects = list(object, "/subjects").iter();
    let chosen = subjects.filter(|subject| subject["kind"] == kind);
    let names = chosen.map(|subject| {
        let of = |field: &str| subject[field].as_str().unwrap_or_default();
        match kind {
            "ServiceAccount" => format!("{}/{}", of("namespace"), of("name")),
            _ => of("name").to_owned(),
        }
    });
    names.collect::<Vec<_>>().join(", ").into()
}

pub(super) fn users(object: &Value, _: Timestamp) -> Value {
    subjects(object, "User")
}

pub(super) fn groups(object: &Value, _: Timestamp) -> Value {
    subjects(object, "Group")
}

pub(super) fn accounts(object: &Value, _: Timestamp) -> Value {
    subjects(object, "ServiceAccount")
}
