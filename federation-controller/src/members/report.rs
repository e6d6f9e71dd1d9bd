//! Writes what the health loop found.

use std::sync::Arc;

use federation_api::KubeFedCluster;
use federation_api::kinds::KubeFedClusterStatus;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::health::{self, Verdict};
use crate::clients::{Failure, chain};
use crate::hub::Store;
use crate::work::Env;

/// After this many seconds without news a status is written again, so that `lastProbeTime` shows that somebody looks.
const HEARTBEAT_SECS: i64 = 300;

/// Writes the conditions of one physical cluster, to itself and to every cluster derived from it.
pub(super) struct Reporter {
    pub(super) hub_client: kube::Client,
    pub(super) clusters: Arc<Store<KubeFedCluster>>,
    pub(super) namespace: String,
    pub(super) env: Env,
}

impl Reporter {
    /// Writes the verdict wherever the hub does not show it yet. Failures are logged; the next round tries again.
    pub(super) async fn report(&self, physical: &str, verdict: &Verdict) {
        for (key, cluster) in self.clusters.all() {
            if cluster.physical_name() != physical {
                continue;
            }
            let now = self.env.now().into();
            let new = health::status(verdict, now, cluster.status.as_ref());
            if health::needs_write(cluster.status.as_ref(), &new, HEARTBEAT_SECS) {
                self.write(&key.name, &new).await;
            }
        }
    }

    async fn write(&self, name: &str, status: &KubeFedClusterStatus) {
        let api: Api<KubeFedCluster> = Api::namespaced(self.hub_client.clone(), &self.namespace);
        let patch = Patch::Merge(status_patch(status));
        if let Err(error) = api
            .patch_status(name, &PatchParams::default(), &patch)
            .await
            && Failure::of(&error) != Failure::NotFound
        {
            tracing::warn!(cluster = name, error = %chain(&error), "cannot write cluster status");
        }
    }
}

/// A merge patch that makes the stored status equal to `status`: what it lacks is removed.
fn status_patch(status: &KubeFedClusterStatus) -> Value {
    let mut body = json!(status);
    if status.kubernetes_version.is_none() {
        body["kubernetesVersion"] = Value::Null;
    }
    json!({ "status": body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_version_is_removed_explicitly() {
        let patch = status_patch(&KubeFedClusterStatus::default());
        assert_eq!(
            patch,
            json!({"status": {"conditions": [], "kubernetesVersion": null}})
        );
    }
}
