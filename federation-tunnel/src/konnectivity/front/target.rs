//! What a client's target means: which cluster, and what in it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::konnectivity::dial::{Dial, DialError};
use crate::konnectivity::hub::{Agents, Strategy};
use crate::seams::BoxIo;

/// What is dialled in a cluster that was named alone.
const API_SERVER: &str = "kubernetes.default.svc:443";

/// Connects to something in a cluster, by whatever tunnel there is.
#[async_trait]
pub trait ClusterDial: Send + Sync + 'static {
    /// Connects to `host:port` as seen from the cluster. Never takes another cluster's tunnel.
    async fn dial_cluster(&self, cluster: &str, target: &str) -> Result<BoxIo, DialError>;
}

#[async_trait]
impl ClusterDial for Agents {
    async fn dial_cluster(&self, cluster: &str, target: &str) -> Result<BoxIo, DialError> {
        Self::dial_cluster(self, cluster, target).await
    }
}

/// Everything goes to one cluster, as it is. For a kube-apiserver that has a socket of its own.
#[derive(Clone, Debug)]
pub struct ToCluster<D> {
    /// The cluster.
    pub cluster: String,
    /// The tunnels.
    pub tunnels: Arc<D>,
}

#[async_trait]
impl<D: ClusterDial> Dial for ToCluster<D> {
    async fn dial(&self, target: &str) -> Result<BoxIo, DialError> {
        self.tunnels.dial_cluster(&self.cluster, target).await
    }
}

/// The cluster is in the host name, which is the only place that an egress selector has for it: `<host>.<cluster><suffix>:<port>`, where
/// the host is the last label before the cluster or more, or `<cluster>:<port>` for the cluster's own API server, whatever the port. The
/// clusters' names are taken to be single labels in the first form.
#[derive(Clone, Debug)]
pub struct ToNamedCluster<D> {
    /// What follows a cluster's name, such as `.cluster.fed`.
    pub suffix: String,
    /// The tunnels.
    pub tunnels: Arc<D>,
}

#[async_trait]
impl<D: ClusterDial> Dial for ToNamedCluster<D> {
    async fn dial(&self, target: &str) -> Result<BoxIo, DialError> {
        let (cluster, inner) = split(target, &self.suffix)
            .ok_or_else(|| DialError::Target(target.chars().take(300).collect()))?;
        self.tunnels.dial_cluster(&cluster, &inner).await
    }
}

/// By what agents say they can reach, with upstream's strategies. For a hub whose agents all belong together.
#[derive(Clone, Debug)]
pub struct ToAgents {
    /// Tried in this order; the first that gives an agent decides.
    pub strategies: Vec<Strategy>,
    /// The agents.
    pub agents: Agents,
}

#[async_trait]
impl Dial for ToAgents {
    async fn dial(&self, target: &str) -> Result<BoxIo, DialError> {
        self.agents.dial_host(&self.strategies, target).await
    }
}

fn split(target: &str, suffix: &str) -> Option<(String, String)> {
    let (host, port) = target.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    if host.is_empty() || port == 0 {
        return None;
    }
    match host.strip_suffix(suffix) {
        Some(within) => match within.rsplit_once('.') {
            Some((inner, cluster)) if !inner.is_empty() && !cluster.is_empty() => {
                Some((cluster.to_owned(), format!("{inner}:{port}")))
            }
            _ if within.is_empty() || within.contains('.') => None,
            _ => Some((within.to_owned(), API_SERVER.to_owned())),
        },
        None => Some((host.to_owned(), API_SERVER.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_host_name_names_a_cluster() {
        for (target, cluster, inner) in [
            ("hz-1:443", "hz-1", "kubernetes.default.svc:443"),
            ("hz-1.bank:6443", "hz-1.bank", "kubernetes.default.svc:443"),
            ("HZ-1.cluster.fed:443", "hz-1", "kubernetes.default.svc:443"),
            (
                "web.default.svc.hz-1.cluster.fed.:80",
                "hz-1",
                "web.default.svc:80",
            ),
            ("10.0.0.7.hz-1.cluster.fed:10250", "hz-1", "10.0.0.7:10250"),
        ] {
            let found = split(target, ".cluster.fed");
            assert_eq!(found, Some((cluster.to_owned(), inner.to_owned())));
        }
        for target in [
            "",
            "hz-1",
            ":443",
            "hz-1:0",
            "hz-1:x",
            ".cluster.fed:1",
            "a..cluster.fed:1",
            ".a.cluster.fed:1",
        ] {
            assert_eq!(split(target, ".cluster.fed"), None, "{target}");
        }
    }
}
