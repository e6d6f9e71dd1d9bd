//! The seam between several processes of one hub.

use async_trait::async_trait;

use super::dial::DialError;
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::seams::BoxIo;
use crate::wire::Class;

/// The other processes of the hub, which may hold the connections of a cluster that has none here.
///
/// Whoever serves a peer's request calls [`super::Tunnels::dial_local`], which asks no peer again: a stream makes one hop at most.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Opens a stream through a peer that holds the cluster. `None` if no peer does, as far as is known.
    async fn dial(
        &self,
        cluster: &ClusterName,
        target: &HostPort,
        class: Class,
    ) -> Option<Result<BoxIo, DialError>>;
}
