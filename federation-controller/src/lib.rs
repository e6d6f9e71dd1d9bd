//! Koinon's reconcilers.
//!
//! [`run`] is the whole controller: give it the hub's configuration and it reads everything else from there. The binary
//! is a thin shell around it ([`Cli`]); `fedctl up` and the playground call it in process.
//!
//! - [`work`]: keyed queues, backoff, rate limits, seams for time and chance.
//! - [`clients`]: transport, TLS, and what every request must pass.
//! - [`hub`]: caches kept by watches.
//! - [`members`]: one connection per physical member; health.
//! - `types`, `cells`, `namespaces`, `propagation`: the reconcilers.
//! - `runtime`: settings, leadership, and what runs while leading.
//!
//! Decisions are not made here but in `federation-core`; this crate watches, gathers, executes and reports.

pub mod admin;
mod cells;
mod cli;
pub mod clients;
mod context;
pub mod events;
pub mod hub;
mod hub_views;
pub mod members;
pub mod metrics;
mod namespaces;
mod propagation;
mod runtime;
#[cfg(test)]
mod testing;
mod types;
pub mod work;

pub use cli::Cli;
pub use clients::ConnectError;
pub use members::connect::{MemberClientError, member_client};
pub use members::tunnel;
pub use runtime::{ControllerConfig, Delays, ElectionError, RunError, run, run_beside};
pub use work::RateLimit;
