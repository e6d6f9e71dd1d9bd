//! HorizontalPodAutoscalers and LimitRanges.

use serde_json::{Map, Value, json};

use super::at::{At, Findings};
use super::pod::{members, object};
use super::{default, map, quantity};
use crate::kinds::{Strategy, StrategyContext};
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Limits {
    Autoscaler,
    Range,
}

impl Strategy for Limits {
    fn prepare_create(&self, value: &mut Value, _context: &StrategyContext<'_>) {
        self.fill(value);
        if *self == Self::Autoscaler {
            value["status"] = json!({"currentMetrics": null, "desiredReplicas": 0});
        }
    }

    fn prepare_update(&self, value: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        self.fill(value);
    }

    fn validate(
        &self,
        value: &Value,
        _old: Option<&Value>,
        context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        let spec = At::top(value, "spec");
        match self {
            _ if context.subresource == "status" => {}
            Self::Autoscaler => autoscaler(&spec, &mut out),
            Self::Range => spec
                .field("limits")
                .items()
                .for_each(|limit| range(&limit, &mut out)),
        }
        out
    }

    fn tracks_generation(&self) -> bool {
        false
    }

    fn judges_alone(&self) -> bool {
        true
    }
}

impl Limits {
    fn fill(self, value: &mut Value) {
        let spec = map(value, "spec");
        match self {
            Self::Autoscaler => fill_autoscaler(spec),
            Self::Range => {
                for limit in members(spec, "limits") {
                    if limit.get("type").is_some_and(|kind| kind == "Container") {
                        fill_range(limit);
                    }
                }
            }
        }
    }
}

fn fill_autoscaler(spec: &mut Map<String, Value>) {
    default(spec, "minReplicas", 1);
    let target = json!({"averageUtilization": 80, "type": "Utilization"});
    let cpu = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    default(spec, "metrics", cpu);
    let Some(behavior) = object(spec, "behavior") else {
        return;
    };
    default(behavior, "scaleUp", json!({}));
    default(behavior, "scaleDown", json!({}));
    let all = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let four = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    if let Some(up) = object(behavior, "scaleUp") {
        default(up, "stabilizationWindowSeconds", 0);
        default(up, "selectPolicy", "Max");
        default(up, "policies", json!([four, all]));
    }
    if let Some(down) = object(behavior, "scaleDown") {
        default(down, "selectPolicy", "Max");
        default(down, "policies", json!([all]));
    }
}

/// A maximum is the default limit, and a limit the default request (`SetDefaults_LimitRangeItem`).
fn fill_range(limit: &mut Map<String, Value>) {
    for (from, to) in [
        ("max", "default"),
        ("default", "defaultRequest"),
        ("min", "defaultRequest"),
    ] {
        let Some(Value::Object(amounts)) = limit.get(from).cloned() else {
            continue;
        };
        default(limit, to, json!({}));
        if let Some(fields) = object(limit, to) {
            for (name, amount) in amounts {
                default(fields, &name, amount);
            }
        }
    }
}

fn autoscaler(spec: &At<'_>, out: &mut Findings) {
    let (least, most) = (spec.field("minReplicas"), spec.field("maxReplicas"));
    let target = spec.field("scaleTargetRef");
    let none = least.number().is_some_and(|replicas| replicas < 1);
    if none {
        out.push(least.invalid("must be greater than or equal to 1"));
    }
    let number = most.number().unwrap_or(0);
    if number < 1 {
        out.push(most.invalid_value(&number.into(), "must be greater than 0"));
    }
    if least.number().is_some_and(|least| number < least) {
        let detail = "must be greater than or equal to `minReplicas`";
        out.push(most.invalid_value(&number.into(), detail));
    }
    for field in ["kind", "name"] {
        if target.field(field).text().is_empty() {
            out.push(target.field(field).required(""));
        }
    }
    let version = target.field("apiVersion");
    if !target.is_set() {
        let detail = "apiVersion must specify API group";
        out.push(version.invalid_value(&"".into(), detail));
    }
    let kinds = [
        "ContainerResource",
        "External",
        "Object",
        "Pods",
        "Resource",
    ];
    let metrics = spec.field("metrics");
    for metric in metrics.items() {
        metric.field("type").one_of(&kinds, out);
    }
    let counts = |metric: At<'_>| matches!(metric.field("type").text(), "Object" | "External");
    if none && !metrics.items().any(counts) {
        out.push(metrics.forbidden(
            "must specify at least one Object or External metric to support scaling to zero replicas",
        ));
    }
}

fn range(limit: &At<'_>, out: &mut Findings) {
    let kind = limit.field("type");
    let known = ["Container", "Pod", "PersistentVolumeClaim"];
    if !known.contains(&kind.text()) && !kind.text().contains('/') {
        let detail = "must be a standard limit type or fully qualified";
        out.push(kind.invalid_value(&kind.text().into(), detail));
    }
    for (name, most) in limit.field("max").entries() {
        let amount = |field: &str| limit.field(field).key(name);
        let more = |at: &At<'_>| quantity::parse(at.text()) > quantity::parse(most.text());
        // Upstream shows the maximum where the default is too high.
        for (field, word, shows_most) in [
            ("defaultRequest", "default request", false),
            ("default", "default", true),
        ] {
            let at = amount(field);
            if at.is_set() && more(&at) {
                let (given, most) = (at.text(), most.text());
                let detail = format!("{word} value {given} is greater than max value {most}");
                let shown = if shows_most { most } else { given };
                out.push(at.invalid_value(&shown.into(), detail));
            }
        }
    }
}
