//! What built-in kinds do differently: the defaulting and rules that round trips with upstream's clients depend on.

mod at;
mod classes;
mod config;
mod events;
mod hooks;
mod limits;
mod namespace;
mod network;
mod pod;
mod quantity;
mod rbac;
mod records;
mod secret_types;
mod service;
mod workload;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::kind::{Plain, Strategy};
use crate::status::FieldError;

/// The strategy of a built-in kind.
pub fn builtin_strategy(group: &str, plural: &str) -> Arc<dyn Strategy> {
    match (group, plural) {
        ("coordination.k8s.io", "leases") => Arc::new(records::Record::Lease),
        ("", "limitranges") => Arc::new(limits::Limits::Range),
        ("autoscaling", "horizontalpodautoscalers") => Arc::new(limits::Limits::Autoscaler),
        ("node.k8s.io", "runtimeclasses") => Arc::new(classes::Class::Runtime),
        ("", "events") => Arc::new(events::Events::Core),
        ("events.k8s.io", "events") => Arc::new(events::Events::Own),
        ("", "endpoints") => Arc::new(records::Record::Endpoints),
        ("discovery.k8s.io", "endpointslices") => Arc::new(records::Record::EndpointSlice),
        ("", "serviceaccounts") => Arc::new(Ungenerated { returned: true }),
        ("", "persistentvolumeclaims") => Arc::new(classes::Class::Claim),
        ("", "resourcequotas") => Arc::new(classes::Class::Quota),
        ("storage.k8s.io", "storageclasses") => Arc::new(classes::Class::Storage),
        ("scheduling.k8s.io", "priorityclasses") => Arc::new(classes::Class::Priority),
        ("networking.k8s.io", "ingressclasses") => Arc::new(classes::Class::Ingress),
        ("networking.k8s.io", "ingresses") => Arc::new(network::Network::Ingress),
        ("networking.k8s.io", "networkpolicies") => Arc::new(network::Network::Policy),
        ("policy", "poddisruptionbudgets") => Arc::new(network::Network::Budget),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations") => {
            Arc::new(hooks::Hooks::Mutating)
        }
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations") => {
            Arc::new(hooks::Hooks::Validating)
        }
        ("", "namespaces") => Arc::new(namespace::Namespaces),
        ("", "pods") => Arc::new(pod::Pods),
        ("", "services") => Arc::new(service::Services),
        ("", "secrets") => Arc::new(config::Secrets),
        ("", "configmaps") => Arc::new(config::ConfigMaps),
        ("", "podtemplates" | "nodes" | "persistentvolumes")
        | ("storage.k8s.io", _)
        | ("apps", "controllerrevisions") => Arc::new(Ungenerated { returned: false }),
        ("apps", "deployments") => Arc::new(workload::Workload::Deployment),
        ("apps", "replicasets") => Arc::new(workload::Workload::ReplicaSet),
        ("apps", "statefulsets") => Arc::new(workload::Workload::StatefulSet),
        ("apps", "daemonsets") => Arc::new(workload::Workload::DaemonSet),
        ("batch", "jobs") => Arc::new(workload::Workload::Job),
        ("batch", "cronjobs") => Arc::new(workload::Workload::CronJob),
        ("rbac.authorization.k8s.io", "roles") => Arc::new(rbac::Rbac::Role),
        ("rbac.authorization.k8s.io", "clusterroles") => Arc::new(rbac::Rbac::ClusterRole),
        ("rbac.authorization.k8s.io", "rolebindings") => Arc::new(rbac::Rbac::RoleBinding),
        ("rbac.authorization.k8s.io", _) => Arc::new(rbac::Rbac::ClusterRoleBinding),
        _ => Arc::new(Plain),
    }
}

/// Kinds without `metadata.generation`.
struct Ungenerated {
    /// Is the deleted object the answer to DELETE?
    returned: bool,
}

impl Strategy for Ungenerated {
    fn tracks_generation(&self) -> bool {
        false
    }

    fn returns_deleted(&self) -> bool {
        self.returned
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
