//! HTTP/2 as a carrier of byte streams: window sizes, one stream per connection, liveness, byte budgets.
//!
//! The connection window is always at its maximum: it is shared, so any smaller one lets enough stalled readers freeze all streams. What bounds
//! memory instead are the streams' own windows, which [`window`] derives from the byte budgets.

mod budget;
mod liveness;
mod meter;
mod settings;
mod splice;
mod stream;
mod window;

pub use budget::Budget;
pub(crate) use budget::Share;
pub use liveness::LivenessTiming;
pub(crate) use liveness::watch;
pub(crate) use meter::{Meter, Metered};
pub(crate) use settings::{HEADERS, client_builder, server_builder};
pub(crate) use splice::splice;
pub use stream::TunnelStream;
pub(crate) use stream::{Flows, Incoming, Outgoing};
pub(crate) use window::Governor;
