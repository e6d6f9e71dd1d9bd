//! Kinds that make pods from a template.

use serde_json::{Map, Value, json};

use super::{default, immutable, map, pod};
use crate::kinds::{Strategy, StrategyContext};
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Workload {
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
}

impl Strategy for Workload {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        self.fill(object);
        if *self == Self::Job {
            own_selector(object);
        }
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        self.fill(object);
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut errors: Vec<FieldError> = immutable(object, old, "/spec/selector", "spec.selector")
            .into_iter()
            .collect();
        if *self == Self::Job {
            return errors;
        }
        let selector = &object["spec"]["selector"];
        let wanted = selector["matchLabels"].as_object();
        let expressions = selector["matchExpressions"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        if wanted.is_none_or(Map::is_empty) && !expressions {
            errors.push(FieldError::required("spec.selector", ""));
            return errors;
        }
        let labels = &object["spec"]["template"]["metadata"]["labels"];
        let matches = wanted
            .into_iter()
            .flatten()
            .all(|(key, value)| labels.get(key) == Some(value));
        if !matches {
            errors.push(FieldError::invalid(
                "spec.template.metadata.labels",
                labels,
                "`selector` does not match template `labels`",
            ));
        }
        let replicas = &object["spec"]["replicas"];
        if replicas.as_i64().is_some_and(|n| n < 0) {
            errors.push(FieldError::invalid(
                "spec.replicas",
                replicas,
                "must be greater than or equal to 0",
            ));
        }
        errors
    }
}

impl Workload {
    fn fill(self, object: &mut Value) {
        let spec = map(object, "spec");
        match self {
            Self::Deployment => {
                default(spec, "replicas", 1);
                default(spec, "revisionHistoryLimit", 10);
                default(spec, "progressDeadlineSeconds", 600);
                let strategy = rolling(spec, "strategy");
                if let Some(rolling) = strategy {
                    default(rolling, "maxUnavailable", "25%");
                    default(rolling, "maxSurge", "25%");
                }
            }
            Self::ReplicaSet => default(spec, "replicas", 1),
            Self::StatefulSet => {
                default(spec, "replicas", 1);
                default(spec, "revisionHistoryLimit", 10);
                default(spec, "podManagementPolicy", "OrderedReady");
                default(
                    spec,
                    "persistentVolumeClaimRetentionPolicy",
                    json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
                );
                if let Some(rolling) = rolling(spec, "updateStrategy") {
                    default(rolling, "partition", 0);
                }
            }
            Self::DaemonSet => {
                default(spec, "revisionHistoryLimit", 10);
                if let Some(rolling) = rolling(spec, "updateStrategy") {
                    default(rolling, "maxUnavailable", 1);
                    default(rolling, "maxSurge", 0);
                }
            }
            Self::Job => {
                default(spec, "parallelism", 1);
                default(spec, "completions", 1);
                default(spec, "backoffLimit", 6);
                default(spec, "completionMode", "NonIndexed");
                default(spec, "suspend", false);
            }
        }
        let template = &mut spec.entry("template").or_insert(Value::Null);
        pod::fill(
            map(template, "spec"),
            if self == Self::Job { "Never" } else { "Always" },
        );
    }
}

/// The rolling part of an update strategy; `None` if it is of another type.
fn rolling<'a>(
    spec: &'a mut Map<String, Value>,
    field: &str,
) -> Option<&'a mut Map<String, Value>> {
    let strategy = spec.entry(field).or_insert(Value::Null);
    if !strategy.is_object() {
        *strategy = json!({});
    }
    let fields = strategy.as_object_mut()?;
    default(fields, "type", "RollingUpdate");
    if fields["type"] != "RollingUpdate" {
        return None;
    }
    Some(map(strategy, "rollingUpdate"))
}

/// A Job selects its pods by its own uid (`generateSelector`).
fn own_selector(object: &mut Value) {
    if object["spec"]["manualSelector"] == true {
        return;
    }
    let uid = crate::object::meta_str(object, "uid").to_owned();
    let name = crate::object::name(object).to_owned();
    let spec = map(object, "spec");
    spec.insert(
        "selector".to_owned(),
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}),
    );
    let template = spec.entry("template").or_insert(Value::Null);
    map(template, "metadata");
    let labels = map(&mut template["metadata"], "labels");
    for prefix in ["", "batch.kubernetes.io/"] {
        labels.insert(format!("{prefix}controller-uid"), uid.clone().into());
        labels.insert(format!("{prefix}job-name"), name.clone().into());
    }
}
