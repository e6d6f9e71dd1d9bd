//! What a member needs to be reached through its agent: the agent, and the account that the hub acts under.
//!
//! One source: `fedctl join --tunnel` prints [`agent_objects`] with the hub's address and a token, `deploy/manifests/proxy-agent.yaml` is
//! generated from them with placeholders, and the Helm chart `koinon-agent` is held to them by a test.

use serde_json::{Value, json};

use super::labels;
use super::workloads::hardened;
use crate::names;
use crate::tunnel::{CA_KEY, HUB_KEY, TOKEN_KEY};

/// Name of the agent's Deployment and service account.
pub const AGENT: &str = "proxy-agent";
/// Name of the Secret that holds what the hub's operator handed out: its keys are the files that `--bootstrap-dir` looks for.
pub const AGENT_BOOTSTRAP: &str = "proxy-agent-bootstrap";
/// Name of the claim of the volume that keeps the agent's key and certificate.
pub const AGENT_STATE: &str = "proxy-agent-state";

/// Where the bootstrap Secret is mounted.
const BOOTSTRAP_DIR: &str = "/etc/koinon-agent";
/// Where the state is mounted: the agent's own default.
const STATE_DIR: &str = "/var/lib/koinon-agent";
/// Where the hub's account is mounted, for the agent to hand it in with its request for a certificate: the hub cannot come and fetch it.
const ACCOUNT_DIR: &str = "/etc/koinon-account";
const HEALTH_PORT: u16 = 8093;
/// The user `nonroot` of distroless images. A number, so that the kubelet can tell that it is not root.
const USER: u32 = 65532;
/// Open streams get this long to end (`--grace-seconds`), and a little more to say so.
const GRACE_SECONDS: u32 = 30;

/// What may differ from one member to the next. `Debug` hides the token.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentOptions {
    /// Namespace in the member.
    pub namespace: String,
    /// The agent's image.
    pub image: String,
    /// The hub's tunnel endpoints, `host:port`.
    pub hubs: Vec<String>,
    /// The certificate authority of the tunnel, PEM.
    pub authority: String,
    /// The one-time bootstrap token.
    pub token: String,
    /// The account that the hub acts under; `None` where `fedctl` makes it with the member's own kubeconfig.
    pub access: Option<HubAccess>,
}

impl std::fmt::Debug for AgentOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentOptions")
            .field("namespace", &self.namespace)
            .field("image", &self.image)
            .field("hubs", &self.hubs)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// What the hub may do in a member, and as whom. The tunnel carries bytes only: what the hub and its users may do is decided by the member's
/// API server, for this account and for those that it impersonates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubAccess {
    /// Name of the service account, and of the Secret with its token: `<cluster>-<hub>`, as `kubefedctl` names it.
    pub account: String,
    /// RBAC rules of its cluster role. Users reach the member through the hub only as those whom the rules let it `impersonate`.
    pub rules: Value,
}

impl HubAccess {
    /// Everything, which includes to act as anybody: what KubeFed's join grants.
    #[must_use]
    pub fn everything(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            rules: json!([
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["get"]},
            ]),
        }
    }
}

impl Default for AgentOptions {
    /// With placeholders where only the hub's operator knows what belongs there.
    fn default() -> Self {
        Self {
            namespace: names::SYSTEM_NAMESPACE.to_owned(),
            image: format!("koinon/{AGENT}:{}", env!("CARGO_PKG_VERSION")),
            hubs: vec!["hub.example.org:8091".to_owned()],
            authority: "the certificate authority of the hub's tunnel, PEM\n".to_owned(),
            token: "the one-time bootstrap token".to_owned(),
            access: Some(HubAccess::everything("member-koinon")),
        }
    }
}

/// Everything, in an order in which it can be applied: namespace, the hub's account, the agent's, what it was handed, its state, the agent.
///
/// A bootstrap token is good for one key only. So the key is kept on a volume of its own: with an `emptyDir` the agent would be locked out as
/// soon as its Pod is replaced. One Pod at a time has it, hence one replica, which is recreated rather than rolled.
#[must_use]
pub fn agent_objects(options: &AgentOptions) -> Vec<Value> {
    let mut objects = vec![json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": options.namespace, "labels": labels("namespace")},
    })];
    if let Some(access) = &options.access {
        objects.extend(access_objects(&options.namespace, access));
    }
    let metadata =
        |name: &str| json!({"name": name, "namespace": options.namespace, "labels": labels(AGENT)});
    objects.extend([
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(AGENT),
            // It only passes bytes on, and asks the API server for nothing.
            "automountServiceAccountToken": false,
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(AGENT_BOOTSTRAP),
            "type": "Opaque",
            "stringData": {
                HUB_KEY: options.hubs.join("\n"),
                CA_KEY: options.authority,
                TOKEN_KEY: options.token,
            },
        }),
        json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata(AGENT_STATE),
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
        }),
        deployment(options, &metadata(AGENT)),
    ]);
    objects
}

/// The same objects, by the same names, as `fedctl join` makes with the member's kubeconfig.
fn access_objects(namespace: &str, access: &HubAccess) -> [Value; 4] {
    let rbac = "rbac.authorization.k8s.io";
    let account = &access.account;
    let role = format!("kubefed-controller-manager:{account}");
    let everywhere = json!({"name": role, "labels": labels("hub-access")});
    let mut own = json!({"name": account, "namespace": namespace, "labels": labels("hub-access")});
    let mut token = own.clone();
    own["annotations"] = json!({"kubernetes.io/enforce-mountable-secrets": "true"});
    token["annotations"] = json!({"kubernetes.io/service-account.name": account});
    [
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": own,
            "automountServiceAccountToken": false,
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": token,
            "type": "kubernetes.io/service-account-token",
        }),
        json!({
            "apiVersion": format!("{rbac}/v1"),
            "kind": "ClusterRole",
            "metadata": everywhere,
            "rules": access.rules,
        }),
        json!({
            "apiVersion": format!("{rbac}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": everywhere,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }),
    ]
}

fn deployment(options: &AgentOptions, metadata: &Value) -> Value {
    let mut container = json!({
        "name": AGENT,
        "image": options.image,
        "args": [
            format!("--bootstrap-dir={BOOTSTRAP_DIR}"),
            format!("--state-dir={STATE_DIR}"),
            format!("--grace-seconds={GRACE_SECONDS}"),
            "--log-format=json",
        ],
        "ports": [{"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"}],
        "volumeMounts": [
            {"name": "bootstrap", "mountPath": BOOTSTRAP_DIR, "readOnly": true},
            {"name": "state", "mountPath": STATE_DIR},
        ],
    });
    let mut volumes = vec![
        json!({"name": "bootstrap", "secret": {"secretName": AGENT_BOOTSTRAP, "defaultMode": 0o440}}),
        json!({"name": "state", "persistentVolumeClaim": {"claimName": AGENT_STATE}}),
    ];
    if let Some(access) = &options.access {
        let mount = json!({"name": "account", "mountPath": ACCOUNT_DIR, "readOnly": true});
        let secret = json!({"secretName": access.account, "defaultMode": 0o440});
        volumes.push(json!({"name": "account", "secret": secret}));
        let flag = format!("--member-account-dir={ACCOUNT_DIR}");
        for (list, item) in [("args", json!(flag)), ("volumeMounts", mount)] {
            if let Some(list) = container[list].as_array_mut() {
                list.push(item);
            }
        }
    }
    hardened(&mut container, "256Mi");
    let selector =
        json!({"app.kubernetes.io/name": "koinon", "app.kubernetes.io/component": AGENT});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels(AGENT)},
                "spec": {
                    "serviceAccountName": AGENT,
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": GRACE_SECONDS + 15,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": USER,
                        "runAsGroup": USER,
                        "fsGroup": USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                    "volumes": volumes,
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_is_in_one_secret_and_nowhere_else() {
        let options = AgentOptions {
            hubs: vec!["hub-0:8091".to_owned(), "hub-1:8091".to_owned()],
            token: "the-token".to_owned(),
            ..AgentOptions::default()
        };
        let objects = agent_objects(&options);
        let holding: Vec<&Value> = objects
            .iter()
            .filter(|object| object.to_string().contains("the-token"))
            .collect();
        assert_eq!(holding.len(), 1);
        assert_eq!(holding[0]["metadata"]["name"], AGENT_BOOTSTRAP);
        assert_eq!(holding[0]["stringData"]["hub"], "hub-0:8091\nhub-1:8091");
        assert!(!format!("{options:?}").contains("the-token"));
    }

    #[test]
    fn the_hubs_account_can_be_left_to_fedctl() {
        let mounts = |access| {
            let options = AgentOptions {
                access,
                ..AgentOptions::default()
            };
            json!(agent_objects(&options))
                .to_string()
                .contains(ACCOUNT_DIR)
        };
        assert!(mounts(AgentOptions::default().access) && !mounts(None));
        let kinds = |access| {
            let options = AgentOptions {
                access,
                ..AgentOptions::default()
            };
            let objects = agent_objects(&options);
            let kind = |object: &Value| object["kind"].as_str().unwrap_or_default().to_owned();
            objects.iter().map(kind).collect::<Vec<_>>().join(" ")
        };
        let own = "ServiceAccount Secret PersistentVolumeClaim Deployment";
        assert_eq!(kinds(None), format!("Namespace {own}"));
        let access = "ServiceAccount Secret ClusterRole ClusterRoleBinding";
        assert_eq!(
            kinds(AgentOptions::default().access),
            format!("Namespace {access} {own}")
        );
    }
}
