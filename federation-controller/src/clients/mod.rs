//! Clients: how bytes get to an API server, and what every request must pass first.
//!
//! Hub and members use the same transport. A [`Guard`] stands in front of it: rate limit, request timeout, and the
//! [`Fence`] that refuses every write once the lease may be somebody else's.

mod failure;
mod fence;
mod guard;
mod transport;

pub use failure::{Failure, chain, message};
pub use federation_member::TlsChecks;
pub use fence::{Fence, LeaseLost};
pub use guard::{GuardLayer, RequestTimedOut};
pub(crate) use transport::connect_over;
pub use transport::{ConnectError, connect};
