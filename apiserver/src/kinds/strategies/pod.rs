//! Pods, and the pod templates of workloads.

use serde_json::{Map, Value, json};

use super::{default, map};
use crate::kinds::{Strategy, StrategyContext};
use crate::status::FieldError;

/// What of a pod's spec may change.
const MUTABLE: [&str; 4] = [
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
    "nodeName",
];

pub(super) struct Pods;

impl Strategy for Pods {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        fill(map(object, "spec"), "Always");
        let status = map(object, "status");
        status.insert("phase".to_owned(), "Pending".into());
        status.insert("qosClass".to_owned(), "BestEffort".into());
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        fill(map(object, "spec"), "Always");
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let Some(old) = old else { return Vec::new() };
        if frozen(&object["spec"]) == frozen(&old["spec"]) {
            return Vec::new();
        }
        vec![FieldError::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        )]
    }
}

/// A spec without what may change.
fn frozen(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(fields) = spec.as_object_mut() {
        for field in MUTABLE {
            fields.remove(field);
        }
        for list in ["containers", "initContainers"] {
            let containers = fields.get_mut(list).and_then(Value::as_array_mut);
            for container in containers
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
            {
                container.remove("image");
            }
        }
    }
    spec
}

/// The defaults of a pod spec (`SetDefaults_PodSpec` and its containers).
pub(super) fn fill(spec: &mut Map<String, Value>, restart: &str) {
    default(spec, "restartPolicy", restart);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "securityContext", json!({}));
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            fill_container(container);
        }
    }
}

fn fill_container(container: &mut Map<String, Value>) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && (!name.contains(':') || name.ends_with(":latest"));
    let policy = if latest { "Always" } else { "IfNotPresent" };
    default(container, "imagePullPolicy", policy);
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    let ports = container.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(port, "protocol", "TCP");
    }
}
