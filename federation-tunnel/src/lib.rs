//! Both ends of the reverse tunnel: wire protocol and sessions.
//!
//! An agent in a member dials the hub ([`Agent`]); the hub then opens streams to the member over that socket ([`Tunnels`]). Each stream is one
//! HTTP/2 stream with a window of its own, so a reader that stalls holds back its own sender and nobody else. Who an agent is, and which
//! cluster it may serve, is what its certificate says ([`identity`]).
//!
//! What this crate does not do: know Kubernetes kinds, keep files, or serve HTTP to users.

mod address;
mod agent;
mod cluster;
mod connect;
mod hub;
pub mod identity;
pub mod konnectivity;
mod seams;
mod tls;
mod transport;
mod wire;

pub use address::{AddressError, Host, HostPort};
pub use agent::{
    Agent, AgentConfig, AgentHandle, AgentParts, AgentStats, AllowList, AllowRule, AllowRuleError,
    BackoffTiming, CertificateError, ContactError, IdentityStore, MemoryIdentity, StoredIdentity,
    TcpUpstream, Upstream,
};
pub use cluster::{ClusterError, ClusterId, ClusterName};
pub use connect::{HttpProxy, ProxyError, TcpConnector};
pub use hub::{
    ClusterStatus, DialError, End, HubConfig, HubLimits, HubStats, PeerLinks, Peers, TunnelEvent,
    Tunnels, TunnelsError,
};
pub use seams::{BoxIo, Connector, Io, Listener, Seams};
pub use tls::TlsError;
pub use transport::{Budget, LivenessTiming, TunnelStream};
pub use wire::{
    ALPN_ENROLL, ALPN_TUNNEL, Class, DialRefusal, HUB_SERVER_NAME, Refusal, UnknownRefusal,
};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
