//! Upstream's agents (konnectivity) on the same port, told by their protocol `h2`, under the same identity: the certificate says which clusters.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::dial::DialError;
use super::end::End;
use super::serve::Socket;
use super::tunnels::{Inner, Tunnels};
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::identity::{AgentCertificate, judge_all};
use crate::konnectivity::{self, Admission, Agents, ClusterDial, Identifiers, Serving};
use crate::seams::BoxIo;
use crate::transport::Meter;
use crate::wire::{Class, DialRefusal, Refusal};

/// The protocol that upstream's agents insist on.
pub(crate) const ALPN: &[u8] = b"h2";

/// How often a connection is asked about again.
const LOOK: Duration = Duration::from_secs(5);

/// An upstream agent that may come in.
pub(crate) struct UpstreamAgent {
    pub(crate) socket: Socket,
    pub(crate) meter: Arc<Meter>,
    pub(crate) certificate: AgentCertificate,
    pub(crate) clusters: Vec<ClusterName>,
    pub(crate) agents: Agents,
}

/// One connection of an upstream agent, as the rest of the hub sees it.
pub(crate) struct UpstreamLink {
    pub(crate) certificate: AgentCertificate,
    pub(crate) meter: Arc<Meter>,
    /// What it may serve.
    clusters: Vec<ClusterName>,
    again: Notify,
}

impl UpstreamLink {
    /// Has the directory asked again, if the connection is about this cluster.
    pub(crate) fn recheck(&self, cluster: &ClusterName) {
        if self.clusters.contains(cluster) {
            self.again.notify_one();
        }
    }

    /// Waits until it may no longer serve all that it was taken in for.
    async fn may_no_longer(&self, inner: &Inner) -> Refusal {
        loop {
            let left = self.certificate.seconds_left(inner.seams.now());
            let look = LOOK.min(Duration::from_secs(left.max(1)));
            // Either way it is time to look.
            let _ = timeout(look, self.again.notified()).await;
            let now = inner.seams.now();
            let directory = &*inner.directory;
            if let Err(refusal) = judge_all(directory, &self.certificate, &self.clusters, now) {
                return refusal;
            }
        }
    }
}

/// A connection in the registry. Takes it out also if the task is dropped.
struct Connected<'a> {
    inner: &'a Inner,
    link: Arc<UpstreamLink>,
    end: End,
}

impl<'a> Connected<'a> {
    fn new(inner: &'a Inner, link: Arc<UpstreamLink>) -> Self {
        inner.registry.insert_upstream(&link);
        inner.counters.accepted.fetch_add(1, Ordering::Relaxed);
        Self {
            inner,
            link,
            end: End::Stopped,
        }
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.inner.registry.remove_upstream(&self.link);
        self.inner.counters.ended(self.end);
        self.inner.counters.carried(&self.link.meter);
    }
}

/// An agent that serves. Takes it off the list also if its connection is dropped.
struct Listed {
    inner: Arc<Inner>,
    clusters: Vec<ClusterName>,
}

impl Listed {
    /// Of the clusters that the certificate lists it may have chosen some.
    fn new(inner: Arc<Inner>, may: &[ClusterName], says: &Identifiers) -> Self {
        let clusters: Vec<_> = may
            .iter()
            .filter(|name| says.leave(name.as_str()))
            .cloned()
            .collect();
        inner.registry.upstream_serves(&clusters);
        Self { inner, clusters }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.inner.registry.upstream_has_gone(&self.clusters);
    }
}

/// Serves it until it leaves, or may no longer serve all that it was taken in for.
pub(crate) async fn run(inner: &Arc<Inner>, agent: UpstreamAgent, from: &str) {
    let names = agent.clusters.iter().map(ToString::to_string).collect();
    let link = Arc::new(UpstreamLink {
        certificate: agent.certificate,
        meter: agent.meter,
        clusters: agent.clusters,
        again: Notify::new(),
    });
    let mut connected = Connected::new(inner, link.clone());
    let (listing, may) = (inner.clone(), link.clone());
    let serving: Serving = Arc::new(move |says| {
        let listed = Listed::new(listing.clone(), &may.clusters, says);
        Box::new(listed)
    });
    let admission = Admission::Clusters(names);
    connected.end = tokio::select! {
        served = agent.agents.serve_and_tell(agent.socket, admission, Some(serving)) => match served {
            Ok(()) => End::Closed,
            Err(error) => {
                tracing::debug!(from, %error, "an upstream agent's connection broke");
                End::Broken
            }
        },
        refusal = link.may_no_longer(inner) => {
            tracing::info!(from, code = %refusal, "an upstream agent may no longer serve");
            End::NoLonger(refusal)
        }
    };
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
