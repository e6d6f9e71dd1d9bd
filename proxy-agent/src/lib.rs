//! The agent that runs in a member and dials the hub: flags, files, probes and metrics around `federation_tunnel`'s [`Agent`].
//!
//! [`main`] is the program. What another process needs to host an agent is in `federation-tunnel` itself; [`FileIdentity`] keeps one's
//! identity in a directory.
//!
//! [`Agent`]: federation_tunnel::Agent

mod admin;
mod cli;
mod konnectivity;
mod konnectivity_flags;
mod logging;
mod metrics;
mod run;
mod setup;
mod state;

pub use cli::{Cli, LogFormat, Protocol};
pub use run::{RunError, main, run};
pub use setup::{Setup, SetupError};
pub use state::{FileIdentity, GivenFiles};
