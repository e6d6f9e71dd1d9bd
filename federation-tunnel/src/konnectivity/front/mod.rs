//! Where upstream's kube-apiserver and other clients come in: HTTP CONNECT, and gRPC as konnectivity-client speaks it.
//!
//! Both take connections that somebody else has accepted, and dial through a [`crate::konnectivity::Dial`].

mod authority;
mod connect;
mod grpc;
mod listen;
mod target;

pub use connect::{ConnectError, serve_connect};
pub use grpc::{GrpcError, serve_grpc};
pub use listen::{Front, bind_unix, serve_tls, serve_unix};
pub use target::{ClusterDial, ToAgents, ToCluster, ToNamedCluster};
