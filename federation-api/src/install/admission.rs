//! Which writes the API server asks the webhook about.

use serde_json::{Value, json};

use super::{Options, Programs, labels};
use crate::labels::{INJECT_CA, INJECT_CA_WEBHOOK};
use crate::names::{
    CORE_GROUP, KOINON_GROUP, TYPES_GROUP, WEBHOOK, WEBHOOK_MUTATE, WEBHOOK_VALIDATE,
};

/// The webhook configurations. They come last: what they name must run before anything they match can be written.
pub(super) fn objects(options: &Options) -> [Value; 2] {
    let mut labels = labels("webhook");
    labels[INJECT_CA] = json!(INJECT_CA_WEBHOOK);
    let metadata = json!({"name": "koinon", "labels": labels});
    let webhook = |name: &str, path: &str, failure: &str, rules: Value| {
        json!({
            "name": name,
            "admissionReviewVersions": ["v1"],
            "clientConfig": client_config(options, path),
            "failurePolicy": failure,
            "matchPolicy": "Equivalent",
            "rules": rules,
            "sideEffects": "None",
            "timeoutSeconds": 10,
        })
    };
    let rule = |group: &str, resources: &[&str], operations: &[&str]| {
        json!({
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": operations,
            "resources": resources,
            "scope": "*",
        })
    };
    let write = ["CREATE", "UPDATE"];
    let own = ["federatedtypeconfigs", "kubefedclusters", "kubefedconfigs"];
    let status = ["federatedtypeconfigs/status", "kubefedclusters/status"];
    let api_version = "admissionregistration.k8s.io/v1";
    [
        json!({
            "apiVersion": api_version,
            "kind": "MutatingWebhookConfiguration",
            "metadata": metadata,
            "webhooks": [webhook("defaults.koinon.io", WEBHOOK_MUTATE, "Fail", json!([
                rule(CORE_GROUP, &["kubefedconfigs"], &["CREATE"]),
            ]))],
        }),
        json!({
            "apiVersion": api_version,
            "kind": "ValidatingWebhookConfiguration",
            "metadata": metadata,
            "webhooks": [
                webhook("validation.koinon.io", WEBHOOK_VALIDATE, "Fail", json!([
                    rule(CORE_GROUP, &own, &write),
                    rule(KOINON_GROUP, &["cells"], &["CREATE", "UPDATE", "DELETE"]),
                    rule(TYPES_GROUP, &["*"], &write),
                ])),
                // Only our own controller writes these, and cluster health must show also while the webhook is away.
                webhook("status.validation.koinon.io", WEBHOOK_VALIDATE, "Ignore", json!([
                    rule(CORE_GROUP, &status, &["UPDATE"]),
                ])),
            ],
        }),
    ]
}

fn client_config(options: &Options, path: &str) -> Value {
    match &options.programs {
        Programs::InCluster(_) => json!({"service": {
            "name": WEBHOOK,
            "namespace": options.namespace,
            "path": path,
            "port": 443,
        }}),
        Programs::Outside { webhook_url } => {
            json!({"url": format!("{}{path}", webhook_url.trim_end_matches('/'))})
        }
    }
}
