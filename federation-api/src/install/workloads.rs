//! The programs, as Deployments.

use serde_json::{Value, json};

use super::labels;
use crate::names::WEBHOOK;

/// Name of the controller's Deployment and service account.
pub const CONTROLLER: &str = "koinon-controller";

/// Port of the webhook's container.
const WEBHOOK_PORT: u16 = 9443;
/// Port of the webhook's probes and scrapes.
const WEBHOOK_HEALTH_PORT: u16 = 8080;
/// While a webhook goes, API servers still send to it for a moment, until they learn that its endpoint is gone.
const SHUTDOWN_DELAY_SECONDS: u32 = 10;

/// The images of the programs, and how many of each run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// What comes before the program's name, such as `registry.example.org/koinon`.
    pub registry: String,
    /// What comes after it.
    pub tag: String,
    /// Replicas of the webhook: all serve.
    pub webhook_replicas: u32,
    /// Replicas of the controller: one leads, the others stand by.
    pub controller_replicas: u32,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            registry: "koinon".to_owned(),
            tag: env!("CARGO_PKG_VERSION").to_owned(),
            webhook_replicas: 2,
            controller_replicas: 2,
        }
    }
}

impl Images {
    fn of(&self, program: &str) -> String {
        format!("{}/{program}:{}", self.registry, self.tag)
    }
}

/// Service, Deployments, and what keeps a drain of nodes from taking all webhooks at once.
pub(super) fn objects(namespace: &str, images: &Images) -> [Value; 4] {
    let metadata = |name: &str, component: &str| json!({"name": name, "namespace": namespace, "labels": labels(component)});
    let selector = json!({
        "app.kubernetes.io/name": "koinon",
        "app.kubernetes.io/component": "webhook",
    });
    [
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(WEBHOOK, "webhook"),
            "spec": {
                "selector": selector,
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": "https"}],
            },
        }),
        json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(WEBHOOK, "webhook"),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector}},
        }),
        deployment(
            namespace,
            WEBHOOK,
            "webhook",
            images.webhook_replicas,
            webhook(namespace, images),
        ),
        deployment(
            namespace,
            CONTROLLER,
            "controller",
            images.controller_replicas,
            controller(namespace, images),
        ),
    ]
}

fn webhook(namespace: &str, images: &Images) -> Value {
    json!({
        "name": "webhook",
        "image": images.of("federation-apiserver"),
        "args": [
            "webhook",
            format!("--namespace={namespace}"),
            format!("--listen=0.0.0.0:{WEBHOOK_PORT}"),
            format!("--health-listen=0.0.0.0:{WEBHOOK_HEALTH_PORT}"),
            format!("--shutdown-delay-seconds={SHUTDOWN_DELAY_SECONDS}"),
            "--log-format=json",
        ],
        "ports": [
            {"name": "https", "containerPort": WEBHOOK_PORT, "protocol": "TCP"},
            {"name": "health", "containerPort": WEBHOOK_HEALTH_PORT, "protocol": "TCP"},
        ],
    })
}

fn controller(namespace: &str, images: &Images) -> Value {
    json!({
        "name": "controller",
        "image": images.of("federation-controller"),
        "args": [
            format!("--kubefed-namespace={namespace}"),
            format!("--conversion-webhook-service={namespace}/{WEBHOOK}"),
        ],
        "ports": [
            {"name": "health", "containerPort": 8080, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9090, "protocol": "TCP"},
        ],
    })
}

/// A Deployment of one container. It takes nothing but its service account, and replaces Pods one by one, the new one first.
fn deployment(
    namespace: &str,
    name: &str,
    component: &str,
    replicas: u32,
    mut container: Value,
) -> Value {
    let selector = json!({
        "app.kubernetes.io/name": "koinon",
        "app.kubernetes.io/component": component,
    });
    hardened(&mut container, "1Gi");
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(component)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": labels(component)},
                "spec": {
                    "serviceAccountName": name,
                    "terminationGracePeriodSeconds": 45,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
                        "weight": 100,
                        "podAffinityTerm": {
                            "labelSelector": {"matchLabels": selector},
                            "topologyKey": "kubernetes.io/hostname",
                        },
                    }]}},
                    "containers": [container],
                },
            },
        },
    })
}

/// Gives a container its resources, its probes on the port `health`, and no rights that it does not need.
pub(super) fn hardened(container: &mut Value, memory_limit: &str) {
    container["resources"] = json!({
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"memory": memory_limit},
    });
    container["livenessProbe"] = json!({
        "httpGet": {"path": "/healthz", "port": "health"},
        "periodSeconds": 10,
        "failureThreshold": 6,
    });
    container["readinessProbe"] = json!({
        "httpGet": {"path": "/readyz", "port": "health"},
        "periodSeconds": 2,
    });
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
    });
}
