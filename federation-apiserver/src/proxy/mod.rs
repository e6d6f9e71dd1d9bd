//! The cluster proxy: `/apis/koinon.io/v1alpha1/clusters/{name}/proxy/…` is the member's API server, as the caller.
//!
//! A request passes: `route` (which cluster, which path) → `directory` (what the hub knows of the cluster) → `scope`
//! (a cell is its member namespace and nothing else) → `identity` (the caller, impersonated) → `headers` (what may pass)
//! → `pool` (a kept connection, within a budget) → `forward` (upgrades spliced, bodies streamed as `body` says). The first five are
//! pure but for the look-up.
//!
//! Who may reach a cluster is the hub's authoriser's decision: the verb of the request's method on `clusters/proxy` with
//! the cluster's name, and `create` besides for a connection that is upgraded. What a caller may do in the member is the
//! member's.
//!
//! How bytes get to a member is behind [`Dialer`].

mod body;
mod connector;
mod cut;
mod dial;
mod directory;
mod error;
mod extension;
mod forward;
mod headers;
mod identity;
mod metrics;
mod pool;
mod route;
mod scope;

pub use dial::{DialError, Dialer, Direct, Routes, Tunnelled, tunnel_target};
pub(crate) use directory::physical_access;
pub use extension::ClusterProxy;
