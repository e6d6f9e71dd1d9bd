//! What the server fills into workloads.

use serde_json::{Map, Value, json};

use super::super::pod::{members, object};
use super::super::{default, map, pod};
use super::Workload;

impl Workload {
    pub(super) fn fill(self, object: &mut Value) {
        let spec = map(object, "spec");
        match self {
            Self::Deployment => {
                default(spec, "replicas", 1);
                default(spec, "revisionHistoryLimit", 10);
                default(spec, "progressDeadlineSeconds", 600);
                if let Some(rolling) = rolling(spec, "strategy") {
                    default(rolling, "maxUnavailable", "25%");
                    default(rolling, "maxSurge", "25%");
                }
            }
            Self::ReplicaSet => default(spec, "replicas", 1),
            Self::StatefulSet => stateful_set(spec),
            Self::DaemonSet => {
                default(spec, "revisionHistoryLimit", 10);
                if let Some(rolling) = rolling(spec, "updateStrategy") {
                    default(rolling, "maxUnavailable", 1);
                    default(rolling, "maxSurge", 0);
                }
            }
            Self::Job => job(spec),
            Self::CronJob => {
                cron_job(spec);
                return;
            }
        }
        template(spec);
    }
}

fn template(spec: &mut Map<String, Value>) {
    let template = spec.entry("template").or_insert(Value::Null);
    pod::fill(map(template, "spec"));
}

fn stateful_set(spec: &mut Map<String, Value>) {
    default(spec, "replicas", 1);
    default(spec, "serviceName", "");
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "podManagementPolicy", "OrderedReady");
    default(spec, "persistentVolumeClaimRetentionPolicy", json!({}));
    if let Some(policy) = object(spec, "persistentVolumeClaimRetentionPolicy") {
        default(policy, "whenDeleted", "Retain");
        default(policy, "whenScaled", "Retain");
    }
    if let Some(rolling) = rolling(spec, "updateStrategy") {
        default(rolling, "partition", 0);
    }
    for claim in members(spec, "volumeClaimTemplates") {
        default(claim, "apiVersion", "v1");
        default(claim, "kind", "PersistentVolumeClaim");
        default(claim, "status", json!({"phase": "Pending"}));
        if let Some(spec) = object(claim, "spec") {
            default(spec, "volumeMode", "Filesystem");
        }
    }
}

fn job(spec: &mut Map<String, Value>) {
    let is_absent = |field: &str| spec.get(field).is_none_or(Value::is_null);
    if is_absent("completions") && is_absent("parallelism") {
        default(spec, "completions", 1);
    }
    default(spec, "parallelism", 1);
    default(spec, "backoffLimit", 6);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let failing = spec
        .get("podFailurePolicy")
        .is_some_and(|policy| !policy.is_null());
    let policy = if failing {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    default(spec, "podReplacementPolicy", policy);
}

fn cron_job(spec: &mut Map<String, Value>) {
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    let job = spec.entry("jobTemplate").or_insert(Value::Null);
    template(map(job, "spec"));
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
