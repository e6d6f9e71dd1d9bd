//! Upstream's agents (konnectivity) on the same port, told by their protocol `h2`, under the same identity: the certificate says which clusters.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::dial::DialError;
use super::serve::Socket;
use super::tunnels::{Inner, Tunnels};
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::identity::{AgentCertificate, judge};
use crate::konnectivity::{self, Admission, Agents, ClusterDial};
use crate::seams::BoxIo;
use crate::wire::{Class, DialRefusal};

/// The protocol that upstream's agents insist on.
pub(crate) const ALPN: &[u8] = b"h2";

/// How often a connection is asked about again.
const LOOK: Duration = Duration::from_secs(5);

/// An upstream agent that may come in.
pub(crate) struct UpstreamAgent {
    pub(crate) socket: Socket,
    pub(crate) certificate: AgentCertificate,
    pub(crate) clusters: Vec<ClusterName>,
    pub(crate) agents: Agents,
}

/// Serves it until it leaves, or may no longer serve all that it was taken in for.
pub(crate) async fn run(inner: &Arc<Inner>, agent: UpstreamAgent, from: &str) {
    let UpstreamAgent {
        socket,
        certificate,
        clusters,
        agents,
    } = agent;
    let names = clusters.iter().map(ToString::to_string).collect();
    let may_no_longer = async {
        loop {
            let left = certificate.seconds_left(inner.seams.now());
            sleep(LOOK.min(Duration::from_secs(left.max(1)))).await;
            let good = match judge(&*inner.directory, &certificate, inner.seams.now()) {
                Ok(good) => good,
                Err(refusal) => return refusal,
            };
            if !clusters
                .iter()
                .all(|name| good.iter().any(|id| id.name() == name))
            {
                return crate::wire::Refusal::UnknownCluster;
            }
        }
    };
    let _listed = inner.registry.list_upstream(&clusters);
    tokio::select! {
        served = agents.serve(socket, Admission::Clusters(names)) => {
            if let Err(error) = served {
                tracing::debug!(from, %error, "an upstream agent's connection broke");
            }
        }
        refusal = may_no_longer => {
            tracing::info!(from, code = %refusal, "an upstream agent may no longer serve");
        }
    }
}

/// What a failure of theirs is in our words.
fn from_upstream(cluster: &ClusterName, error: konnectivity::DialError) -> DialError {
    use konnectivity::DialError as Upstream;
    let refused = |reason, error: Upstream| DialError::Refused {
        reason,
        detail: error
            .text()
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect(),
    };
    match error {
        Upstream::NoAgent(_) => DialError::NoAgent(cluster.clone()),
        Upstream::Full => DialError::TooMany(cluster.clone()),
        Upstream::Lost(text) => DialError::Lost(text.into()),
        Upstream::Io(error) => DialError::Lost(error.into()),
        Upstream::Timeout(_) => refused(DialRefusal::Timeout, error),
        Upstream::Target(_) => refused(DialRefusal::BadTarget, error),
        Upstream::NotAllowed(_) => refused(DialRefusal::NotAllowed, error),
        Upstream::Failed(_) => refused(DialRefusal::Unreachable, error),
    }
}

/// Opens a stream through an upstream agent. `None` if none serves the cluster.
pub(crate) async fn dial(
    agents: &Agents,
    cluster: &ClusterName,
    target: &HostPort,
) -> Option<Result<BoxIo, DialError>> {
    if !agents.serves(cluster.as_str()) {
        return None;
    }
    let stream = agents
        .dial_cluster(cluster.as_str(), &target.to_string())
        .await;
    Some(stream.map_err(|error| from_upstream(cluster, error)))
}

/// For konnectivity's front ends: kube-apiserver's egress selector reaches all tunnels, whichever agent made them.
#[async_trait]
impl ClusterDial for Tunnels {
    async fn dial_cluster(
        &self,
        cluster: &str,
        target: &str,
    ) -> Result<BoxIo, konnectivity::DialError> {
        use konnectivity::DialError as Upstream;
        let name: ClusterName = cluster
            .parse()
            .map_err(|_| Upstream::Target(cluster.chars().take(300).collect()))?;
        let address: HostPort = target
            .parse()
            .map_err(|_| Upstream::Target(target.chars().take(300).collect()))?;
        self.dial(&name, &address, Class::Interactive)
            .await
            .map_err(|error| match error {
                DialError::NoAgent(_) => Upstream::NoAgent(error.to_string()),
                DialError::TooMany(_) => Upstream::Full,
                DialError::Timeout(limit) => Upstream::Timeout(limit),
                DialError::Refused {
                    reason: DialRefusal::NotAllowed,
                    ..
                } => Upstream::NotAllowed(target.to_owned()),
                DialError::Refused { .. } => Upstream::Failed(error.to_string()),
                DialError::Lost(_) | DialError::Oversized | DialError::Peer(_) => {
                    Upstream::Lost(error.to_string())
                }
            })
    }
}
