//! Clients of members that are already joined, made from what the hub knows of them.

use anyhow::{Context, bail};
use federation_api::kinds::KubeFedCluster;
use federation_controller::member_client;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ListParams};

use crate::hub::Hub;

/// Clients of the ready physical members in name order, or of the one asked for, ready or not.
pub(crate) async fn ready(hub: &Hub, only: Option<&str>) -> anyhow::Result<Vec<(String, Client)>> {
    let wanted = match only {
        Some(name) => vec![hub.cluster(name).await?],
        None => {
            let all = hub.clusters().list(&ListParams::default()).await;
            let mut all = all.context("cannot read the clusters from the hub")?.items;
            all.retain(|cluster| cluster.is_ready() && cluster.derived_from().is_none());
            all
        }
    };
    if wanted.is_empty() {
        bail!(
            "no member cluster is ready, so the kind cannot be looked up: join one with `fedctl join`, or see why with `kubectl get kubefedclusters -n {} -o yaml`",
            hub.system_namespace
        );
    }
    let mut members = Vec::new();
    for cluster in &wanted {
        let name = cluster.metadata.name.clone().unwrap_or_default();
        let client = client(hub, cluster)
            .await
            .with_context(|| format!("cannot reach cluster {name}"))?;
        members.push((name, client));
    }
    Ok(members)
}

async fn client(hub: &Hub, cluster: &KubeFedCluster) -> anyhow::Result<Client> {
    let secrets: Api<Secret> = Api::namespaced(hub.hub_client.clone(), &hub.system_namespace);
    let secret = secrets
        .get_opt(&cluster.spec.secret_ref.name)
        .await
        .context("cannot read the cluster's secret")?;
    Ok(member_client(&hub.config, cluster, secret.as_ref())?)
}
