//! `fedctl join` and `fedctl unjoin`: a member's service account, and its registration on the hub.
//!
//! The objects and their names are `kubefedctl`'s, so that a cluster joined by either can be unjoined by either.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use federation_api::kinds::{
    FederatedTypeConfig, KubeFedCluster, KubeFedClusterSpec, SecretRef, TlsValidation,
};
use federation_api::names;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use kube::config::Kubeconfig;
use kube::{Client, Config, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::cell::pairs;
use crate::cli::{Global, Join, Unjoin};
use crate::hub::{self, Hub};
use crate::{print, resolve};

/// How long the member may take to fill in the token (KubeFed's own patience).
const TOKEN_PATIENCE: Duration = Duration::from_secs(30);

/// Registers the member.
pub(crate) async fn join(global: &Global, args: &Join) -> anyhow::Result<()> {
    if args.name.contains('.') {
        bail!("a cluster's name has no dot: names with one belong to cells");
    }
    let hub = Hub::connect(global).await?;
    let member = Member::connect(
        args.cluster_kubeconfig.as_deref(),
        args.cluster_context.as_deref(),
        &args.name,
        &args.host_cluster_name,
    )
    .await?;
    let clusters: Api<KubeFedCluster> =
        Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    if clusters
        .get_opt(&args.name)
        .await
        .context("cannot ask the hub for its clusters")?
        .is_some()
    {
        bail!(
            "the hub already has a cluster \"{0}\": `fedctl unjoin {0}` first, or choose another name",
            args.name
        );
    }
    let rules = if args.least_privilege {
        least_privilege(&resolve::type_configs(&hub).await?)
    } else {
        json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["get"]}])
    };
    if args.dry_run {
        println!(
            "would make in {}: namespace {}, service account {}, its token, cluster role and binding {}",
            member.endpoint,
            hub.system_namespace,
            member.account,
            member.role()
        );
        println!(
            "would make on the hub: secret and kubefedcluster {}",
            args.name
        );
        return Ok(());
    }
    member.prepare(&hub.system_namespace, rules).await?;
    let token = member.token(&hub.system_namespace).await?;
    let secret = secret(args, &token)?;
    let secrets: Api<Secret> = Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    let secret = secrets
        .create(&PostParams::default(), &secret)
        .await
        .context("cannot make the token's Secret on the hub")?;
    let cluster = member.cluster(args, secret.metadata.name.unwrap_or_default())?;
    let made = clusters
        .create(&PostParams::default(), &cluster)
        .await
        .with_context(|| format!("cannot register cluster \"{}\" on the hub", args.name))?;
    if !print::object(global.output, &made)? {
        println!(
            "cluster {} joined ({}); make a cell in it with `fedctl cell create NAME --cluster {} -n NAMESPACE`",
            args.name, member.endpoint, args.name
        );
    }
    Ok(())
}

/// Takes the member away from the hub, and fedctl's objects out of the member.
pub(crate) async fn unjoin(global: &Global, args: &Unjoin) -> anyhow::Result<()> {
    let hub = Hub::connect(global).await?;
    let clusters: Api<KubeFedCluster> =
        Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    let Some(cluster) = clusters
        .get_opt(&args.name)
        .await
        .context("cannot ask the hub for its clusters")?
    else {
        bail!("the hub has no cluster \"{}\"", args.name);
    };
    let member = match Member::connect(
        args.cluster_kubeconfig.as_deref(),
        args.cluster_context.as_deref(),
        &args.name,
        &args.host_cluster_name,
    )
    .await
    {
        Ok(member) => Some(member),
        Err(error) if args.force => {
            eprintln!(
                "warning: the member's own objects stay: {}",
                print::chain(&error)
            );
            None
        }
        Err(error) => {
            return Err(
                error.context("cannot reach the member to clean up (go on without with --force)")
            );
        }
    };
    if args.dry_run {
        println!(
            "would delete on the hub: kubefedcluster {} and its secret {}",
            args.name, cluster.spec.secret_ref.name
        );
        return Ok(());
    }
    if let Some(member) = &member
        && let Err(error) = member.clean(&hub.system_namespace).await
    {
        if !args.force {
            return Err(error.context("cannot clean up the member (go on without with --force)"));
        }
        eprintln!("warning: {}", print::chain(&error));
    }
    delete::<KubeFedCluster>(&clusters, &args.name).await?;
    let secrets: Api<Secret> = Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    delete::<Secret>(&secrets, &cluster.spec.secret_ref.name).await?;
    println!(
        "cluster {} unjoined; what was propagated to it stays there",
        args.name
    );
    Ok(())
}

/// The member that is joined or unjoined.
struct Member {
    member_client: Client,
    endpoint: String,
    ca_bundle: Option<String>,
    insecure: bool,
    proxy_url: Option<String>,
    /// Name of the service account and of what belongs to it: `<cluster>-<hub>`.
    account: String,
}

impl Member {
    async fn connect(
        file: Option<&std::path::Path>,
        context: Option<&str>,
        name: &str,
        host: &str,
    ) -> anyhow::Result<Self> {
        let kubeconfig = hub::read_kubeconfig(file, false)?;
        let context = match context {
            Some(context) => Some(context.to_owned()),
            None => kubeconfig
                .contexts
                .iter()
                .any(|c| c.name == name)
                .then(|| name.to_owned()),
        };
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
            proxy_url: config.proxy_url.as_ref().map(ToString::to_string),
            account: format!("{name}-{host}"),
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

    fn role(&self) -> String {
        format!("kubefed-controller-manager:{}", self.account)
    }

    /// Makes namespace, service account, token secret, role and binding; those that are there already stay.
    async fn prepare(&self, namespace: &str, rules: Value) -> anyhow::Result<()> {
        let client = &self.member_client;
        let meta = |name: &str| json!({"name": name});
        let role = self.role();
        ensure::<Namespace>(
            &Api::all(client.clone()),
            json!({"metadata": meta(namespace)}),
        )
        .await?;
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

    /// Waits for the token that the member writes into the secret.
    async fn token(&self, namespace: &str) -> anyhow::Result<String> {
        let secrets: Api<Secret> = Api::namespaced(self.member_client.clone(), namespace);
        let ready = kube::runtime::wait::await_condition(
            secrets,
            &self.account,
            |secret: Option<&Secret>| token_of(secret).is_some(),
        );
        let secret = tokio::time::timeout(TOKEN_PATIENCE, ready)
            .await
            .with_context(|| format!("the member put no token into secret {}/{} within {} s: does it run a token controller?", namespace, self.account, TOKEN_PATIENCE.as_secs()))?
            .context("cannot watch the token's secret")?;
        token_of(secret.as_ref()).context("the token vanished again")
    }

    fn cluster(&self, args: &Join, secret: String) -> anyhow::Result<KubeFedCluster> {
        let mut cluster = KubeFedCluster::new(
            &args.name,
            KubeFedClusterSpec {
                api_endpoint: self.endpoint.clone(),
                ca_bundle: self.ca_bundle.clone(),
                secret_ref: SecretRef { name: secret },
                disabled_tls_validations: if self.insecure {
                    vec![TlsValidation::All]
                } else {
                    Vec::new()
                },
                proxy_url: self.proxy_url.clone(),
            },
        );
        let labels = pairs(&args.labels, "labels")?;
        cluster.metadata.labels = (!labels.is_empty()).then_some(labels);
        Ok(cluster)
    }

    async fn clean(&self, namespace: &str) -> anyhow::Result<()> {
        let client = &self.member_client;
        let role = self.role();
        delete::<ClusterRoleBinding>(&Api::all(client.clone()), &role).await?;
        delete::<ClusterRole>(&Api::all(client.clone()), &role).await?;
        delete::<Secret>(&Api::namespaced(client.clone(), namespace), &self.account).await?;
        delete::<ServiceAccount>(&Api::namespaced(client.clone(), namespace), &self.account)
            .await?;
        delete::<Namespace>(&Api::all(client.clone()), namespace).await
    }
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

fn base64(bytes: &[u8]) -> String {
    // k8s-openapi's ByteString is base64 in JSON.
    match serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}

fn token_of(secret: Option<&Secret>) -> Option<String> {
    let data = secret?.data.as_ref()?.get(names::SECRET_TOKEN_KEY)?;
    let token = String::from_utf8(data.0.clone()).ok()?;
    (!token.is_empty()).then_some(token)
}

fn secret(args: &Join, token: &str) -> anyhow::Result<Secret> {
    if token.is_empty() {
        bail!("the member gave an empty token");
    }
    let metadata = match &args.secret_name {
        Some(name) => ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        },
        None => ObjectMeta {
            generate_name: Some(format!("{}-", args.name)),
            ..ObjectMeta::default()
        },
    };
    let data = BTreeMap::from([(
        names::SECRET_TOKEN_KEY.to_owned(),
        k8s_openapi::ByteString(token.as_bytes().to_vec()),
    )]);
    Ok(Secret {
        metadata,
        data: Some(data),
        ..Secret::default()
    })
}

/// Rules that cover the enabled kinds, their namespaces and the health probe, and nothing else.
fn least_privilege(configs: &[FederatedTypeConfig]) -> Value {
    let mut rules = vec![
        json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"]}),
        json!({"nonResourceURLs": ["/healthz", "/version", "/version/", "/openapi/*"], "verbs": ["get"]}),
    ];
    for config in configs {
        let target = &config.spec.target_type;
        rules.push(json!({
            "apiGroups": [target.group.as_deref().unwrap_or_default()],
            "resources": [target.plural_name],
            "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
        }));
    }
    Value::Array(rules)
}

/// Creates the object unless it is there.
async fn ensure<K>(api: &Api<K>, object: Value) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let kind = K::kind(&());
    let object: K =
        serde_json::from_value(object).with_context(|| format!("cannot make the {kind}"))?;
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot create the {kind} in the member")),
    }
}

/// Deletes, and takes "it is gone already" for done.
async fn delete<K>(api: &Api<K>, name: &str) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot delete {} {name}", K::kind(&()))),
    }
}
