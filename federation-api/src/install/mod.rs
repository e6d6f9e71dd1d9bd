//! What the add-on form installs on an existing cluster, and what a member gets that is reached through its agent, as API objects.
//!
//! One source: `fedctl init` applies [`objects`], `deploy/manifests` is generated from them, and the Helm chart is held to them by
//! a test. The order is one in which they can be applied; the reverse is one in which they can be deleted.
//!
//! There is no `KubeFedConfig` among them: without one the defaults hold, and its kind is not known before they are applied.

mod access;
mod admission;
mod agent;
mod workloads;

use serde_json::{Value, json};

use crate::crd::all_crds;
use crate::names;

pub use agent::{AGENT, AGENT_BOOTSTRAP, AGENT_STATE, AgentOptions, HubAccess, agent_objects};
pub use workloads::{CONTROLLER, Images};

/// What may differ from one installation to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The system namespace: clusters, type configs, Secrets, and the programs.
    pub namespace: String,
    /// Where the programs run.
    pub programs: Programs,
}

/// Where webhook and controller run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Programs {
    /// In the cluster, as Deployments behind a Service.
    InCluster(Images),
    /// Somewhere else; API servers reach the webhook at this URL (`https://host:port`, no path).
    Outside {
        /// The URL.
        webhook_url: String,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: names::SYSTEM_NAMESPACE.to_owned(),
            programs: Programs::InCluster(Images::default()),
        }
    }
}

/// Everything, in order: namespace, definitions, access, programs, webhook configurations.
#[must_use]
pub fn objects(options: &Options) -> Vec<Value> {
    let mut objects = vec![json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": options.namespace, "labels": labels("namespace")},
    })];
    objects.extend(all_crds());
    objects.extend(access::objects(&options.namespace));
    if let Programs::InCluster(images) = &options.programs {
        objects.extend(workloads::objects(&options.namespace, images));
    }
    objects.extend(admission::objects(options));
    objects
}

/// Labels of an object that belongs to the installation.
fn labels(component: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "koinon",
        "app.kubernetes.io/part-of": "koinon",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(options: &Options) -> Vec<String> {
        objects(options)
            .iter()
            .map(|object| {
                format!(
                    "{} {}",
                    object["kind"].as_str().unwrap(),
                    object["metadata"]["name"].as_str().unwrap()
                )
            })
            .collect()
    }

    #[test]
    fn the_order_can_be_applied_and_nothing_comes_twice() {
        let all = listed(&Options::default());
        assert_eq!(all[0], "Namespace kube-federation-system");
        assert!(all[1].starts_with("CustomResourceDefinition "), "{all:?}");
        assert!(
            all[all.len() - 1].ends_with("WebhookConfiguration koinon"),
            "{all:?}"
        );
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all.len());
    }

    #[test]
    fn programs_outside_need_no_workloads_and_are_called_by_url() {
        let options = Options {
            namespace: "fed".to_owned(),
            programs: Programs::Outside {
                webhook_url: "https://10.0.0.7:9443".to_owned(),
            },
        };
        let text = json!(objects(&options)).to_string();
        for absent in ["Deployment", "\"Service\"", "kube-federation-system"] {
            assert!(!text.contains(absent), "{absent}");
        }
        assert!(text.contains("https://10.0.0.7:9443/validate"));
    }

    #[test]
    fn namespaced_objects_are_in_the_namespace() {
        let cluster_wide = [
            "Namespace",
            "CustomResourceDefinition",
            "ClusterRole",
            "ClusterRoleBinding",
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
        ];
        for object in objects(&Options::default()) {
            let is_cluster_wide = cluster_wide.contains(&object["kind"].as_str().unwrap());
            assert_eq!(
                object["metadata"].get("namespace").is_none(),
                is_cluster_wide,
                "{object}"
            );
        }
    }
}
