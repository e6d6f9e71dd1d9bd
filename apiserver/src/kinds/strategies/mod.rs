//! What built-in kinds do differently: the defaulting and rules that round trips with upstream's clients depend on.

mod config;
mod namespace;
mod pod;
mod rbac;
mod service;
mod workload;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::kind::{NameRule, Plain, Strategy};
use crate::status::FieldError;

/// The strategy of a built-in kind.
pub fn builtin_strategy(group: &str, plural: &str) -> Arc<dyn Strategy> {
    match (group, plural) {
        ("", "namespaces") => Arc::new(namespace::Namespaces),
        ("", "pods") => Arc::new(pod::Pods),
        ("", "services") => Arc::new(service::Services),
        ("", "secrets") => Arc::new(config::Secrets),
        ("", "configmaps") => Arc::new(config::ConfigMaps),
        (
            "",
            "serviceaccounts" | "endpoints" | "events" | "limitranges" | "podtemplates" | "nodes",
        )
        | ("events.k8s.io" | "coordination.k8s.io" | "storage.k8s.io", _) => Arc::new(Ungenerated),
        ("apps", "deployments") => Arc::new(workload::Workload::Deployment),
        ("apps", "replicasets") => Arc::new(workload::Workload::ReplicaSet),
        ("apps", "statefulsets") => Arc::new(workload::Workload::StatefulSet),
        ("apps", "daemonsets") => Arc::new(workload::Workload::DaemonSet),
        ("batch", "jobs") => Arc::new(workload::Workload::Job),
        ("rbac.authorization.k8s.io", _) => Arc::new(rbac::Rbac),
        _ => Arc::new(Plain),
    }
}

/// Kinds without `metadata.generation`.
struct Ungenerated;

impl Strategy for Ungenerated {
    fn tracks_generation(&self) -> bool {
        false
    }

    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }
}

/// `object[field]` as a map, made if it is absent.
fn map<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let inner = &mut object[field];
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    inner.as_object_mut().expect("was made a map above")
}

/// Sets a field that is absent or null.
fn default(fields: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    let slot = fields.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value.into();
    }
}

/// A finding if the value at a pointer changed.
fn immutable(new: &Value, old: Option<&Value>, pointer: &str, path: &str) -> Option<FieldError> {
    let old = old?;
    let (new, old) = (new.pointer(pointer), old.pointer(pointer));
    (new != old)
        .then(|| FieldError::invalid(path, new.unwrap_or(&Value::Null), "field is immutable"))
}
