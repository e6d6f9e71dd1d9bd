//! apiserver-network-proxy (konnectivity), both ways: upstream's agents connect to our hub, upstream's kube-apiserver reaches targets
//! through it, and our agent connects to upstream's servers.
//!
//! Follows version 0.36 of the protocol (`proto/agent`, `konnectivity-client/proto/client`). All connections of an agent share one stream
//! of packets that has no flow control for each of them. So a reader that is too slow must either hold up the others or lose its
//! connection. Here it holds them up for a bounded time and then loses it, with the reason told to both sides; see [`Limits`]. Our own
//! transport has none of this, and is what Koinon's own agents use.
//!
//! What upstream does and this does not: leases that count servers, tokens checked by TokenReview.

mod agent;
mod dial;
mod front;
mod grpc;
mod hub;
mod machine;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use agent::{
    AgentConfig, AgentState, AgentTiming, Allowed, FileServers, ListedDial, ServerAddressError,
    Servers, TcpDial, TlsServers, run_agent,
};
pub use dial::{Dial, DialError};
pub use front::{
    ClusterDial, ConnectError, Front, GrpcError, ToAgents, ToCluster, ToNamedCluster, bind_unix,
    serve_connect, serve_grpc, serve_tls, serve_unix,
};
pub(crate) use hub::Serving;
pub use hub::{
    Admission, Agents, AgentsConfig, Counters, Identifiers, IdentifiersError, ServeError, Strategy,
    UnknownStrategy,
};
pub use machine::Limits;
