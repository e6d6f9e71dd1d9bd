//! The member's end: dials the hub, keeps its connections up, and serves what the hub asks for, if it is on the list.
//!
//! Decisions are in `pool` (which connection to make, when), `backoff` and [`AllowList`] (what may be dialled): none of them does I/O. `keeper`
//! holds the certificate, `session` one connection.

mod allow;
mod backoff;
mod config;
mod contact;
mod keeper;
mod pool;
mod rejected;
mod run;
mod serve;
mod session;
mod stats;
mod upstream;

pub use allow::{AllowList, AllowRule, AllowRuleError};
pub use backoff::BackoffTiming;
pub use config::{AgentConfig, AgentParts};
pub use contact::ContactError;
pub use keeper::{CertificateError, IdentityStore, MemoryIdentity, StoredIdentity};
pub use run::{Agent, AgentHandle};
pub use stats::AgentStats;
pub use upstream::{TcpUpstream, Upstream};
