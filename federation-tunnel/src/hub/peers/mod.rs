//! Several processes of one hub: a stream goes through the process that holds the cluster's agents.
//!
//! Processes connect to one another at the tunnel's own port, under a protocol of its own and with certificates of the tunnel's authority that
//! name a hub. Each tells the others which clusters have agents here, as that changes. A forwarded stream is a connection of its own: no two
//! share a pipe, so none waits for another. It ends when the other process is not heard any more.

mod links;
mod pulse;
mod serve;

use async_trait::async_trait;

use super::dial::DialError;
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::seams::BoxIo;
use crate::wire::Class;

pub use links::PeerLinks;
pub(crate) use pulse::Pulses;
pub(crate) use serve::{PeerSession, admit, run};

/// The other processes of the hub, which may hold the connections of a cluster that has none here.
///
/// Whoever serves a peer's request asks no peer again: a stream makes one hop at most.
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
