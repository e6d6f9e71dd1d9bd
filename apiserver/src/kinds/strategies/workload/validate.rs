//! The rules of the kinds that keep Pods running (`pkg/apis/apps/validation`).

use serde_json::{Map, Value};

use super::super::at::{At, Findings, percent};
use super::super::pod;

/// What of a StatefulSet's spec may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn deployment(spec: &At<'_>, out: &mut Findings) {
    spec.field("replicas").not_negative(out);
    if selector(spec, "deployment", out) {
        template(spec, out);
    }
    rolling_strategy(&spec.field("strategy"), out);
    let ready = spec.field("minReadySeconds");
    ready.not_negative(out);
    spec.field("revisionHistoryLimit").not_negative(out);
    let deadline = spec.field("progressDeadlineSeconds");
    deadline.not_negative(out);
    if deadline
        .number()
        .is_some_and(|seconds| seconds <= ready.number().unwrap_or(0))
    {
        out.push(deadline.invalid("must be greater than minReadySeconds"));
    }
}

pub(super) fn replica_set(spec: &At<'_>, out: &mut Findings) {
    spec.field("replicas").not_negative(out);
    spec.field("minReadySeconds").not_negative(out);
    if selector(spec, "replicaset", out) {
        template(spec, out);
    }
}

pub(super) fn stateful_set(spec: &At<'_>, old: Option<&Value>, out: &mut Findings) {
    let policy = spec.field("podManagementPolicy");
    if !matches!(policy.text(), "OrderedReady" | "Parallel") {
        out.push(policy.invalid("must be 'OrderedReady' or 'Parallel'"));
    }
    let strategy = spec.field("updateStrategy");
    let rolling = strategy.field("rollingUpdate");
    match strategy.field("type").text() {
        "OnDelete" if rolling.is_set() => {
            out.push(rolling.invalid("only allowed for updateStrategy 'RollingUpdate'"));
        }
        "OnDelete" => {}
        "RollingUpdate" => rolling.field("partition").not_negative(out),
        _ => out.push(strategy.invalid("must be 'RollingUpdate' or 'OnDelete'")),
    }
    let retention = spec.field("persistentVolumeClaimRetentionPolicy");
    for field in ["whenDeleted", "whenScaled"] {
        retention
            .field(field)
            .one_of_if_set(&["Retain", "Delete"], out);
    }
    spec.field("replicas").not_negative(out);
    spec.field("minReadySeconds").not_negative(out);
    spec.field("revisionHistoryLimit").not_negative(out);
    if selector(spec, "statefulset", out) {
        template(spec, out);
    }
    if let Some(old) = old
        && fixed(spec.value) != fixed(&old["spec"])
    {
        out.push(spec.forbidden("updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
    }
}

fn fixed(spec: &Value) -> Map<String, Value> {
    let mut fields = spec.as_object().cloned().unwrap_or_default();
    fields.retain(|field, _| !MUTABLE.contains(&field.as_str()));
    fields
}

pub(super) fn daemon_set(spec: &At<'_>, out: &mut Findings) {
    let selector = spec.field("selector");
    selector.label_selector(out);
    if !selects(spec) {
        out.push(mismatch(spec));
    }
    if selector.is_set() && is_empty(&selector) {
        out.push(selector.invalid("empty selector is invalid for daemonset"));
    }
    template(spec, out);
    spec.field("minReadySeconds").not_negative(out);
    let strategy = spec.field("updateStrategy");
    match strategy.field("type").text() {
        "OnDelete" => {}
        "RollingUpdate" => daemon_rolling(&strategy.field("rollingUpdate"), out),
        _ => out.push(strategy.unsupported(&["RollingUpdate", "OnDelete"])),
    }
    spec.field("revisionHistoryLimit").not_negative(out);
}

fn daemon_rolling(rolling: &At<'_>, out: &mut Findings) {
    let (unavailable, surge) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
    unavailable.amount(out);
    surge.amount(out);
    match (is_zero(&unavailable), is_zero(&surge)) {
        (false, false) => out.push(surge.invalid("may not be set when maxUnavailable is non-zero")),
        (true, true) => out.push(unavailable.required("cannot be 0 when maxSurge is 0")),
        _ => {}
    }
    for amount in [&unavailable, &surge] {
        not_more_than_all(amount, out);
    }
}

fn rolling_strategy(strategy: &At<'_>, out: &mut Findings) {
    let rolling = strategy.field("rollingUpdate");
    match strategy.field("type").text() {
        "Recreate" if rolling.is_set() => {
            out.push(rolling.forbidden("may not be specified when strategy `type` is 'Recreate'"))
        }
        "Recreate" => {}
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
            unavailable.amount(out);
            surge.amount(out);
            if is_zero(&unavailable) && is_zero(&surge) {
                out.push(unavailable.invalid("may not be 0 when `maxSurge` is 0"));
            }
            not_more_than_all(&unavailable, out);
        }
        _ => out.push(strategy.unsupported(&["Recreate", "RollingUpdate"])),
    }
}

fn is_zero(amount: &At<'_>) -> bool {
    match amount.value {
        Value::String(text) => percent(text) == Some(0),
        other => other.as_i64().unwrap_or(0) == 0,
    }
}

fn not_more_than_all(amount: &At<'_>, out: &mut Findings) {
    if percent(amount.text()).is_some_and(|percent| percent > 100) {
        out.push(amount.invalid("must not be greater than 100%"));
    }
}

/// Judges selector and labels; false if the selector is none, and then the template is not looked at.
fn selector(spec: &At<'_>, kind: &str, out: &mut Findings) -> bool {
    let selector = spec.field("selector");
    if !selector.is_set() {
        out.push(selector.required(""));
    } else {
        let before = out.len();
        selector.label_selector(out);
        if is_empty(&selector) {
            out.push(selector.invalid(format!("empty selector is invalid for {kind}")));
        }
        let expressions = selector.field("matchExpressions");
        if out.len() > before && !expressions.is_empty() {
            out.push(selector.invalid("invalid label selector"));
            return false;
        }
    }
    if !selects(spec) {
        out.push(mismatch(spec));
    }
    true
}

fn is_empty(selector: &At<'_>) -> bool {
    selector.field("matchLabels").is_empty() && selector.field("matchExpressions").is_empty()
}

pub(super) fn mismatch(spec: &At<'_>) -> crate::status::FieldError {
    spec.down(&["template", "metadata", "labels"])
        .invalid("`selector` does not match template `labels`")
}

/// Does the selector choose the Pods of the template? One that is not there chooses none.
pub(super) fn selects(spec: &At<'_>) -> bool {
    let selector = spec.field("selector");
    let labels = spec.down(&["template", "metadata", "labels"]);
    let named = selector.field("matchLabels");
    let equal = named
        .entries()
        .all(|(key, wanted)| labels.key(key).value == wanted.value);
    let fits = selector
        .field("matchExpressions")
        .items()
        .all(|expression| {
            let label = labels.key(expression.field("key").text());
            let among = expression
                .field("values")
                .items()
                .any(|v| v.value == label.value);
            match expression.field("operator").text() {
                "In" => label.is_set() && among,
                "NotIn" => !label.is_set() || !among,
                "Exists" => label.is_set(),
                _ => !label.is_set(),
            }
        });
    selector.is_set() && equal && fits
}

/// The template of Pods that are to run for ever.
fn template(spec: &At<'_>, out: &mut Findings) {
    let template = spec.field("template");
    pod::template(&template, out);
    let restart = template.down(&["spec", "restartPolicy"]);
    if restart.text() != "Always" {
        out.push(restart.unsupported(&["Always"]));
    }
    let deadline = template.down(&["spec", "activeDeadlineSeconds"]);
    if deadline.is_set() {
        out.push(deadline.forbidden("activeDeadlineSeconds in ReplicaSet is not Supported"));
    }
}

/// The numbers of a Deployment's status.
pub(super) fn deployment_status(status: &At<'_>, out: &mut Findings) {
    let of = |field: &str| status.field(field).number().unwrap_or(0);
    for field in [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
    ] {
        status.field(field).not_negative(out);
    }
    for (field, most) in [
        ("updatedReplicas", "replicas"),
        ("readyReplicas", "replicas"),
        ("availableReplicas", "replicas"),
        ("availableReplicas", "readyReplicas"),
    ] {
        if of(field) > of(most) {
            let value = Value::from(of(field));
            let detail = if most == "replicas" {
                "cannot be greater than status.replicas"
            } else {
                "cannot be greater than readyReplicas"
            };
            out.push(status.field(field).invalid_value(&value, detail));
        }
    }
}
