//! A member's service account, and its registration on the hub.
//!
//! The objects and their names are `kubefedctl`'s, so that a cluster joined by either can be unjoined by either.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use federation_api::annotations::{CONNECTION, CONNECTION_TUNNEL};
use federation_api::kinds::{KubeFedCluster, KubeFedClusterSpec, SecretRef, TlsValidation};
use federation_api::names;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::cli::MemberArgs;
use crate::hub;
use crate::objects::{delete, ensure};

/// How long the member may take to fill in the token (KubeFed's own patience).
const TOKEN_PATIENCE: Duration = Duration::from_secs(30);

/// How long a namespace that is just being deleted may take to go.
const NAMESPACE_PATIENCE: Duration = Duration::from_secs(60);

/// How a member is to be registered.
pub(crate) struct Registration {
    /// Name of the KubeFedCluster.
    pub(crate) name: String,
    /// Name of the Secret on the hub; generated if not given.
    pub(crate) secret_name: Option<String>,
    /// Labels of the KubeFedCluster.
    pub(crate) labels: BTreeMap<String, String>,
    /// Annotations of the KubeFedCluster.
    pub(crate) annotations: BTreeMap<String, String>,
    /// For a member that is reached through its agent: how the agent's network knows the API server. The kubeconfig's own address and proxy
    /// are then nobody's on the hub.
    pub(crate) tunnel_endpoint: Option<String>,
    /// RBAC rules of the service account.
    pub(crate) rules: Value,
}

/// Rules that allow everything: what KubeFed's join grants.
pub(crate) fn all_rules() -> Value {
    json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["get"]}])
}

/// The member that is joined or unjoined.
pub(crate) struct Member {
    member_client: Client,
    /// Address of its API server.
    pub(crate) endpoint: String,
    ca_bundle: Option<String>,
    insecure: bool,
    proxy_url: Option<String>,
    /// Whether the user named it: by a kubeconfig, by a context, or by a context of the cluster's name.
    named: bool,
    /// Name of the service account and of what belongs to it: `<cluster>-<hub>`.
    pub(crate) account: String,
}

impl Member {
    /// Connects to the member that a kubeconfig's context names: the given one, the one called like the cluster, or the current one.
    pub(crate) async fn connect(args: &MemberArgs) -> anyhow::Result<Self> {
        let file = args.cluster_kubeconfig.as_deref();
        let kubeconfig = hub::read_kubeconfig(file, false)?;
        let context = args.cluster_context.clone().or_else(|| {
            let known = kubeconfig.contexts.iter().any(|c| c.name == args.name);
            known.then(|| args.name.clone())
        });
        let insecure = is_insecure(&kubeconfig, context.as_deref());
        let config = hub::load(file, context.as_deref(), false).await?;
        let mut member = Self {
            endpoint: config
                .cluster_url
                .to_string()
                .trim_end_matches('/')
                .to_owned(),
            ca_bundle: ca_bundle(&config),
            insecure,
            named: file.is_some() || context.is_some(),
            proxy_url: config.proxy_url.as_ref().map(ToString::to_string),
            account: format!("{}-{}", args.name, args.host_cluster_name),
            member_client: Client::try_from(config)
                .context("cannot use the member's kubeconfig")?,
        };
        let version = member
            .member_client
            .apiserver_version()
            .await
            .with_context(|| format!("cannot reach the member at {}", member.endpoint))?;
        tracing::debug!(version = version.git_version, "member");
        if member.insecure {
            member.ca_bundle = None;
        }
        Ok(member)
    }

    /// Whether this is the hub itself, which may be a member of its own.
    ///
    /// # Errors
    /// It is, and the user did not say so: then the kubeconfig in use is only the hub's. Or one of the two does not answer.
    pub(crate) async fn is_hub(&self, hub_client: &Client) -> anyhow::Result<bool> {
        let hub = identity(hub_client)
            .await
            .context("cannot ask the hub who it is")?;
        let member = identity(&self.member_client)
            .await
            .context("cannot ask the member who it is")?;
        let same = hub.is_some() && hub == member;
        if same && !self.named {
            bail!(
                "this kubeconfig leads to the hub itself ({}): name the member's with --cluster-kubeconfig FILE or --cluster-context CONTEXT",
                self.endpoint
            );
        }
        Ok(same)
    }

    /// Name of the cluster role and its binding.
    pub(crate) fn role(&self) -> String {
        format!("kubefed-controller-manager:{}", self.account)
    }

    /// Makes namespace, service account, token secret, role and binding; those that are there already stay.
    async fn prepare(&self, namespace: &str, rules: Value) -> anyhow::Result<()> {
        let client = &self.member_client;
        let meta = |name: &str| json!({"name": name});
        let role = self.role();
        self.ensure_namespace(namespace).await?;
        ensure::<ServiceAccount>(
            &Api::namespaced(client.clone(), namespace),
            json!({
                "metadata": {"name": self.account, "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
                "automountServiceAccountToken": false,
            }),
        )
        .await?;
        ensure::<Secret>(
            &Api::namespaced(client.clone(), namespace),
            json!({
                "metadata": {"name": self.account, "annotations": {"kubernetes.io/service-account.name": self.account}},
                "type": "kubernetes.io/service-account-token",
            }),
        )
        .await?;
        ensure::<ClusterRole>(
            &Api::all(client.clone()),
            json!({"metadata": meta(&role), "rules": rules}),
        )
        .await?;
        ensure::<ClusterRoleBinding>(
            &Api::all(client.clone()),
            json!({
                "metadata": meta(&role),
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": self.account, "namespace": namespace}],
            }),
        )
        .await
    }

    /// Makes the namespace; one that is just going, because the member was unjoined a moment ago, is waited for.
    async fn ensure_namespace(&self, name: &str) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.member_client.clone());
        let there = namespaces
            .get_opt(name)
            .await
            .context("cannot ask the member for its namespaces")?;
        if let Some(going) = there.filter(|one| one.metadata.deletion_timestamp.is_some()) {
            let uid = going.metadata.uid.unwrap_or_default();
            let gone = await_condition(namespaces.clone(), name, conditions::is_deleted(&uid));
            tokio::time::timeout(NAMESPACE_PATIENCE, gone)
                .await
                .with_context(|| {
                    let seconds = NAMESPACE_PATIENCE.as_secs();
                    format!("namespace {name} of the member is still being deleted after {seconds} s: what holds it?")
                })?
                .context("cannot watch the namespace that is being deleted")?;
        }
        ensure::<Namespace>(&namespaces, json!({"metadata": {"name": name}})).await
    }

    /// Waits for the token that the member writes into the secret.
    async fn token(&self, namespace: &str) -> anyhow::Result<String> {
        let secrets: Api<Secret> = Api::namespaced(self.member_client.clone(), namespace);
        let ready = await_condition(secrets, &self.account, |secret: Option<&Secret>| {
            token_of(secret).is_some()
        });
        let secret = tokio::time::timeout(TOKEN_PATIENCE, ready)
            .await
            .with_context(|| format!("the member put no token into secret {}/{} within {} s: does it run a token controller?", namespace, self.account, TOKEN_PATIENCE.as_secs()))?
            .context("cannot watch the token's secret")?;
        token_of(secret.as_ref()).context("the token vanished again")
    }

    /// Makes the service account in the member, and the Secret and the KubeFedCluster on the hub.
    pub(crate) async fn register(
        &self,
        hub_client: &Client,
        namespace: &str,
        registration: Registration,
    ) -> anyhow::Result<KubeFedCluster> {
        self.prepare(namespace, registration.rules.clone()).await?;
        let token = self.token(namespace).await?;
        let secrets: Api<Secret> = Api::namespaced(hub_client.clone(), namespace);
        let secret = secrets
            .create(&PostParams::default(), &secret(&registration, &token))
            .await
            .context("cannot make the token's Secret on the hub")?;
        let spec = KubeFedClusterSpec {
            api_endpoint: registration
                .tunnel_endpoint
                .clone()
                .unwrap_or_else(|| self.endpoint.clone()),
            ca_bundle: self.ca_bundle.clone(),
            secret_ref: SecretRef {
                name: secret.metadata.name.unwrap_or_default(),
            },
            disabled_tls_validations: if self.insecure {
                vec![TlsValidation::All]
            } else {
                Vec::new()
            },
            proxy_url: match registration.tunnel_endpoint {
                Some(_) => None,
                None => self.proxy_url.clone(),
            },
        };
        create(hub_client, namespace, registration, spec).await
    }

    /// Replaces what the hub's account may do by these rules; whom it may act as stays.
    ///
    /// # Errors
    /// There is no such role: the cluster was not joined under this hub's name. Or whoever asks may not grant that much.
    pub(crate) async fn grant(&self, rules: &Value) -> anyhow::Result<()> {
        let roles: Api<ClusterRole> = Api::all(self.member_client.clone());
        let role = self.role();
        let failed = || format!("cannot change ClusterRole {role} in {}", self.endpoint);
        let before = roles.get(&role).await.with_context(failed)?;
        let acting = before.rules.into_iter().flatten();
        let acting = acting.filter(|rule| rule.verbs == ["impersonate"]);
        let mut rules = rules.as_array().cloned().unwrap_or_default();
        for rule in acting {
            rules.push(serde_json::to_value(rule).context("a rule is JSON")?);
        }
        let patch = Patch::Merge(json!({"rules": rules}));
        roles
            .patch(&role, &PatchParams::default(), &patch)
            .await
            .with_context(failed)?;
        Ok(())
    }

    /// Takes away what [`Member::register`] made in the member. The namespace stays if `is_hub`: there it holds everything that
    /// the hub knows.
    pub(crate) async fn clean(&self, namespace: &str, is_hub: bool) -> anyhow::Result<()> {
        let client = &self.member_client;
        let role = self.role();
        delete::<ClusterRoleBinding>(&Api::all(client.clone()), &role).await?;
        delete::<ClusterRole>(&Api::all(client.clone()), &role).await?;
        delete::<Secret>(&Api::namespaced(client.clone(), namespace), &self.account).await?;
        delete::<ServiceAccount>(&Api::namespaced(client.clone(), namespace), &self.account)
            .await?;
        if is_hub {
            return Ok(());
        }
        delete::<Namespace>(&Api::all(client.clone()), namespace).await
    }
}

/// Makes the KubeFedCluster of a member whose agent hands in the account; nothing is made in the member.
pub(crate) async fn register_for_agent(
    hub_client: &Client,
    namespace: &str,
    registration: Registration,
    secret_name: String,
) -> anyhow::Result<KubeFedCluster> {
    let spec = KubeFedClusterSpec {
        api_endpoint: registration.tunnel_endpoint.clone().unwrap_or_default(),
        ca_bundle: None,
        secret_ref: SecretRef { name: secret_name },
        disabled_tls_validations: Vec::new(),
        proxy_url: None,
    };
    create(hub_client, namespace, registration, spec).await
}

async fn create(
    hub_client: &Client,
    namespace: &str,
    registration: Registration,
    spec: KubeFedClusterSpec,
) -> anyhow::Result<KubeFedCluster> {
    let mut cluster = KubeFedCluster::new(&registration.name, spec);
    cluster.metadata.labels = (!registration.labels.is_empty()).then_some(registration.labels);
    let mut annotations = registration.annotations;
    if registration.tunnel_endpoint.is_some() {
        annotations.insert(CONNECTION.to_owned(), CONNECTION_TUNNEL.to_owned());
    }
    cluster.metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let clusters: Api<KubeFedCluster> = Api::namespaced(hub_client.clone(), namespace);
    clusters
        .create(&PostParams::default(), &cluster)
        .await
        .with_context(|| {
            format!(
                "cannot register cluster \"{}\" on the hub",
                registration.name
            )
        })
}

/// What tells one cluster from another, whatever address it has: the uid of its namespace kube-system.
async fn identity(cluster_client: &Client) -> kube::Result<Option<String>> {
    let namespaces: Api<Namespace> = Api::all(cluster_client.clone());
    let found = namespaces.get_opt("kube-system").await?;
    Ok(found.and_then(|namespace| namespace.metadata.uid))
}

fn is_insecure(kubeconfig: &Kubeconfig, context: Option<&str>) -> bool {
    let current = context.or(kubeconfig.current_context.as_deref());
    let cluster = kubeconfig
        .contexts
        .iter()
        .find(|c| Some(c.name.as_str()) == current)
        .and_then(|c| c.context.as_ref())
        .map(|c| c.cluster.as_str());
    kubeconfig
        .clusters
        .iter()
        .find(|c| Some(c.name.as_str()) == cluster)
        .and_then(|c| c.cluster.as_ref())
        .and_then(|c| c.insecure_skip_tls_verify)
        .unwrap_or(false)
}

/// The member's CA as base64 of PEM, from the DER that the client configuration holds.
fn ca_bundle(config: &Config) -> Option<String> {
    let roots = config.root_cert.as_ref()?;
    let pem: String = roots
        .iter()
        .map(|der| {
            let body = base64(der);
            let lines: Vec<&str> = body
                .as_bytes()
                .chunks(64)
                .filter_map(|l| std::str::from_utf8(l).ok())
                .collect();
            format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                lines.join("\n")
            )
        })
        .collect();
    Some(base64(pem.as_bytes()))
}

fn token_of(secret: Option<&Secret>) -> Option<String> {
    let data = secret?.data.as_ref()?.get(names::SECRET_TOKEN_KEY)?;
    let token = String::from_utf8(data.0.clone()).ok()?;
    (!token.is_empty()).then_some(token)
}

fn secret(registration: &Registration, token: &str) -> Secret {
    let metadata = match &registration.secret_name {
        Some(name) => ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        },
        None => ObjectMeta {
            generate_name: Some(format!("{}-", registration.name)),
            ..ObjectMeta::default()
        },
    };
    let data = BTreeMap::from([(
        names::SECRET_TOKEN_KEY.to_owned(),
        k8s_openapi::ByteString(token.as_bytes().to_vec()),
    )]);
    Secret {
        metadata,
        data: Some(data),
        ..Secret::default()
    }
}

fn base64(bytes: &[u8]) -> String {
    // k8s-openapi's ByteString is base64 in JSON.
    match serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}
