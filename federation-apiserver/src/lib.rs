//! The hub: the `apiserver` library with Koinon's kinds, conversion and admission.
//!
//! - [`hub_builder`] is the hub as a part: what `fedctl up` and the playground embed.
//! - [`serve`] runs a hub with a [`Config`] until it is told to stop; [`main`] is the program around it.
//!
//! What this crate does not do: decide. Conversion and validation are pure functions of `federation-core`; here they
//! are only asked at the right moment, with the facts that they need from the cache.

mod admission;
mod cli;
mod config;
mod conversion;
mod hub;
mod logging;
mod serve;

pub use cli::{Cli, ServeArgs, main};
pub use config::{Config, ConfigError, LogFormat};
pub use hub::hub_builder;
pub use serve::{ServeError, open_hub, serve};
