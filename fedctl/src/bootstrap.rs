//! What an agent is handed: where the hub's tunnel is, how to know it, and a one-time token.

use std::time::Duration;

use anyhow::{Context, bail};
use federation_api::KubeFedCluster;
use federation_api::tunnel::{
    BOOTSTRAP_CLUSTER, BOOTSTRAP_TYPE, CA_HASH_KEY, CA_KEY, CONFIG_MAP, HUB_KEY,
};
use federation_apiserver::tunnel::bootstrap_secret;
use federation_tunnel::identity::{BootstrapToken, TokenRecord};
use federation_tunnel::{ClusterId, Seams};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::{Api, ListParams, PostParams};

/// The hub's tunnel, as it says itself.
pub(crate) struct HubTunnel {
    /// Its addresses, `host:port`.
    pub(crate) hubs: Vec<String>,
    /// Its authority, PEM.
    pub(crate) authority: String,
    /// The hash of the authority's key.
    pub(crate) hash: String,
}

impl HubTunnel {
    /// Asks the hub.
    pub(crate) async fn of(hub_client: &Client, namespace: &str) -> anyhow::Result<Self> {
        let maps: Api<ConfigMap> = Api::namespaced(hub_client.clone(), namespace);
        let found = maps
            .get_opt(CONFIG_MAP)
            .await
            .context("cannot ask the hub for its tunnel")?;
        let Some(data) = found.and_then(|map| map.data) else {
            bail!(
                "the hub serves no tunnel: start it with --tunnel-listen (federation-apiserver serve), or use fedctl up"
            );
        };
        let text = |key: &str| data.get(key).cloned().unwrap_or_default();
        let hubs: Vec<String> = text(HUB_KEY).lines().map(str::to_owned).collect();
        if hubs.is_empty() {
            bail!("the hub does not say where its tunnel is: give --tunnel-advertise to it");
        }
        Ok(Self {
            hubs,
            authority: text(CA_KEY),
            hash: text(CA_HASH_KEY),
        })
    }
}

/// Makes a token for a cluster, good for one agent's key within `life`. The hub keeps only what recognises it.
pub(crate) async fn issue(
    hub_client: &Client,
    namespace: &str,
    cluster: &KubeFedCluster,
    life: Duration,
) -> anyhow::Result<BootstrapToken> {
    let seams = Seams::system();
    let name = cluster.metadata.name.as_deref().unwrap_or_default();
    let uid = cluster.metadata.uid.as_deref().unwrap_or_default();
    let token = BootstrapToken::generate(&seams);
    let record = TokenRecord {
        digest: token.digest(),
        cluster: ClusterId::new(name.parse().context("the cluster has no usable name")?, uid)
            .context("the cluster has no usable uid")?,
        expires: rustls_pki_types::UnixTime::since_unix_epoch(
            Duration::from_secs(seams.now().as_secs()) + life,
        ),
        used_by: None,
    };
    let mut secret = bootstrap_secret(token.id(), &record);
    secret["metadata"]["namespace"] = namespace.into();
    let secret: Secret = serde_json::from_value(secret).context("cannot make a Secret")?;
    let secrets: Api<Secret> = Api::namespaced(hub_client.clone(), namespace);
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .context("cannot make the token's Secret on the hub")?;
    Ok(token)
}

/// The names of a cluster's tokens' Secrets.
pub(crate) async fn of_cluster(
    secrets: &Api<Secret>,
    cluster: &str,
) -> anyhow::Result<Vec<String>> {
    let all = secrets
        .list(&ListParams::default())
        .await
        .context("cannot ask the hub for bootstrap tokens")?;
    let theirs = |secret: &Secret| {
        if secret.type_.as_deref() != Some(BOOTSTRAP_TYPE) {
            return None;
        }
        let data = secret.data.as_ref()?;
        let is_theirs = data.get(BOOTSTRAP_CLUSTER)?.0 == cluster.as_bytes();
        is_theirs.then(|| secret.metadata.name.clone())?
    };
    Ok(all.items.iter().filter_map(theirs).collect())
}
