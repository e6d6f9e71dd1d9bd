//! The hub's end: agents come in, streams to their clusters go out.
//!
//! [`Tunnels`] is all of it. One task per connection owns its socket; callers hold streams. What to decide is in `choose` (which connection a
//! stream takes) and [`crate::identity`] (who may serve what); neither does I/O.

mod choose;
mod config;
mod dial;
mod end;
mod link;
mod peers;
mod registry;
mod serve;
mod session;
mod stats;
mod tunnels;
mod upstream_agents;

pub use config::{HubConfig, HubLimits};
pub use dial::DialError;
pub use end::End;
pub use peers::{PeerLinks, Peers};
pub use registry::{ClusterStatus, TunnelEvent};
pub use stats::HubStats;
pub use tunnels::{Tunnels, TunnelsError};
