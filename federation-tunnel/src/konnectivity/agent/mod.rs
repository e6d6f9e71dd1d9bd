//! The agent: connects to upstream's servers and serves what they dial.

mod config;
mod connection;
mod dialer;
mod pool;
mod run;
mod servers;

pub use config::{AgentConfig, AgentTiming};
pub use dialer::{Allowed, ListedDial, TcpDial};
pub use run::{AgentState, run_agent};
pub use servers::{FileServers, ServerAddressError, Servers, TlsServers};
