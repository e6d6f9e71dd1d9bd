//! How a member's API server is reached: what its `KubeFedCluster` and Secret say, and the TLS that follows from it.
//!
//! The controller and the hub's cluster proxy connect in different ways (kube's client, plain streams), but must agree
//! on what access data means and on which certificates are good; both take it from here.
//!
//! What this crate does not do: open connections. It does no I/O but for reading the machine's trusted roots when a
//! cluster brings none.

pub mod access;
pub mod checks;
mod tls;

pub use access::{AccessError, Credentials, MemberAccess, Redacted};
pub use checks::TlsChecks;
pub use tls::{TlsConfigError, client_config, machine_config};
