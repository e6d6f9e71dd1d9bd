//! Who may do what: the two programs, and people.

use serde_json::{Value, json};

use super::labels;
use super::workloads::CONTROLLER;
use crate::names::{CORE_GROUP, KOINON_GROUP, TYPES_GROUP, WEBHOOK, WEBHOOK_CA, WEBHOOK_SECRET};

const READ: [&str; 3] = ["get", "list", "watch"];
const RBAC: &str = "rbac.authorization.k8s.io";

/// Service accounts, roles and bindings.
pub(super) fn objects(namespace: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for (account, everywhere, here) in [
        (WEBHOOK, webhook_everywhere(), webhook_here()),
        (CONTROLLER, controller_everywhere(), controller_here()),
    ] {
        objects.extend(account_objects(namespace, account, &everywhere, &here));
    }
    objects.push(for_people("view", &READ));
    objects.push(for_people(
        "edit",
        &[
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ],
    ));
    objects
}

fn account_objects(namespace: &str, account: &str, everywhere: &Value, here: &Value) -> [Value; 5] {
    let subjects = json!([{"kind": "ServiceAccount", "name": account, "namespace": namespace}]);
    let api_version = format!("{RBAC}/v1");
    let metadata = json!({"name": account, "labels": labels("access")});
    let namespaced = json!({"name": account, "namespace": namespace, "labels": labels("access")});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": namespaced}),
        json!({"apiVersion": api_version, "kind": "ClusterRole", "metadata": metadata, "rules": everywhere}),
        json!({
            "apiVersion": api_version,
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": account},
            "subjects": subjects,
        }),
        json!({"apiVersion": api_version, "kind": "Role", "metadata": namespaced, "rules": here}),
        json!({
            "apiVersion": api_version,
            "kind": "RoleBinding",
            "metadata": namespaced,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": account},
            "subjects": subjects,
        }),
    ]
}

/// Look-ups of admission, and the places that hold the CA.
fn webhook_everywhere() -> Value {
    let admission = "admissionregistration.k8s.io";
    let configurations = [
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
    ];
    json!([
        {"apiGroups": [KOINON_GROUP], "resources": ["cells"], "verbs": READ},
        {"apiGroups": [CORE_GROUP], "resources": ["kubefedclusters"], "verbs": READ},
        {"apiGroups": [TYPES_GROUP], "resources": ["*"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": READ},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["get", "list", "update", "watch"]},
        {"apiGroups": [admission], "resources": configurations, "verbs": READ},
        {"apiGroups": [admission], "resources": configurations, "resourceNames": ["koinon"], "verbs": ["update"]},
    ])
}

fn webhook_here() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [WEBHOOK_SECRET], "verbs": ["get", "update"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [WEBHOOK_CA], "verbs": ["get", "update"]},
    ])
}

/// What the reconcilers read and write on the hub. Member clusters are reached with credentials of their own.
fn controller_everywhere() -> Value {
    let write = [
        "create", "delete", "get", "list", "patch", "update", "watch",
    ];
    json!([
        {"apiGroups": [CORE_GROUP], "resources": ["*"], "verbs": write},
        {"apiGroups": [KOINON_GROUP, TYPES_GROUP], "resources": ["*"], "verbs": ["get", "list", "patch", "update", "watch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": READ},
        {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch", "update"]},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["create", "get", "list", "patch", "update", "watch"]},
    ])
}

fn controller_here() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["secrets"], "verbs": READ},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [WEBHOOK_CA], "verbs": ["get"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "update"]},
    ])
}

/// Lets whoever may view or edit a namespace do so with what is federated in it.
fn for_people(role: &str, verbs: &[&str]) -> Value {
    let mut metadata = json!({"name": format!("koinon-{role}"), "labels": labels("access")});
    metadata["labels"][format!("rbac.authorization.k8s.io/aggregate-to-{role}")] = json!("true");
    let cells: &[&str] = if role == "view" { verbs } else { &READ };
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": [
            {"apiGroups": [TYPES_GROUP], "resources": ["*"], "verbs": verbs},
            {"apiGroups": [KOINON_GROUP], "resources": ["cells"], "verbs": cells},
        ],
    })
}
