//! The hub's end of the reverse tunnel, wired to the hub: who may connect, under whose authority, and who gets through.
//!
//! - [`TunnelEndpoint`] runs beside a hub's server: it opens the port that agents dial.
//! - [`HubTunnels`] is how the rest of the hub finds the tunnels: the cluster proxy, and `tunnel_api` for controllers in other processes.
//! - `settings` are its flags; `fronts` let in clients that speak konnectivity-client's protocol or HTTP CONNECT.
//! - `peers` finds the hub's other processes.
//! - `sweep` deletes tokens that have expired.
//! - `directory`, `tokens`, `accounts` and `authority` keep what agents are judged by in the hub's own objects, so that several processes on one database
//!   agree.
//!
//! What this module does not do: the protocol, which is `federation_tunnel`'s.

mod accounts;
mod authority;
mod directory;
mod endpoint;
mod fronts;
mod hub_tunnels;
mod metrics;
mod objects;
mod peers;
mod settings;
mod sweep;
#[cfg(test)]
mod testing;
mod tokens;
mod tunnel_api;
mod watch;

pub use endpoint::{TunnelEndpoint, TunnelError, TunnelOptions};
pub use fronts::{FrontError, Fronts, Socket, TlsFront};
pub use hub_tunnels::HubTunnels;
pub(crate) use settings::TunnelSettings;
pub use settings::{Mode, TunnelConfig, TunnelSettingsError};
pub use tokens::bootstrap_secret;
pub(crate) use tunnel_api::TunnelApi;
