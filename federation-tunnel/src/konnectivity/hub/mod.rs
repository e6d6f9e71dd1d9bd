//! The server: upstream's agents connect here, and connections are dialled through them.

mod agents;
mod counters;
mod identifiers;
mod link;
mod route;

pub(crate) use agents::Serving;
pub use agents::{Agents, AgentsConfig, ServeError};
pub use counters::Counters;
pub use identifiers::{Identifiers, IdentifiersError};
pub(crate) use link::Link;
pub use route::{Admission, Strategy, UnknownStrategy};
