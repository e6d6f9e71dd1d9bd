//! The hub: the `apiserver` library with Koinon's kinds, conversion and admission.
//!
//! - [`hub_builder`] is the hub as a part: what `fedctl up` and the playground embed.
//! - [`proxy`] is the way to members for the hub's users: kubectl against any cluster or cell.
//! - [`tunnel`] takes members' agents, and opens connections through them.
//! - [`webhook`] is conversion and admission alone, for a hub that is an ordinary Kubernetes cluster.
//! - [`serve`] runs a hub with a [`Config`] until it is told to stop; [`main`] is the program around it.
//!
//! What this crate does not do: decide. Conversion and validation are pure functions of `federation-core`; here they
//! are only asked at the right moment, with the facts that they need from the cache.

mod admission;
mod backup;
mod chain;
mod cli;
mod config;
mod conversion;
mod encryption;
mod hub;
mod logging;
pub mod proxy;
mod rewrite;
mod serve;
pub mod tunnel;
pub mod webhook;

pub use cli::{Cli, ServeArgs, main};
pub use config::{Config, ConfigError, LogFormat};
pub use encryption::{Encryption, EncryptionError};
pub use hub::{hub_builder, hub_builder_with};
pub use serve::{Hub, ServeError, open_hub, serve};
pub use tunnel::{HubTunnels, TunnelEndpoint, TunnelError, TunnelOptions};
