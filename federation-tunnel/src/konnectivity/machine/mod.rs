//! What one stream of packets does, without sockets, clocks or tasks.
//!
//! A stream carries any number of connections and has no flow control for each, so both ends must take what arrives as it arrives. A
//! [`Table`] holds the connections of a stream, bounded in every direction; a [`Dialer`] is the side that asks for connections (a server
//! towards an agent), an [`Acceptor`] the side that is asked (an agent, and a server towards its clients).

mod acceptor;
mod dialer;
mod flow;
mod limits;
mod recent;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use acceptor::{Acceptor, Ask};
pub(crate) use dialer::{DialEnd, Dialer};
pub use limits::Limits;
pub(crate) use table::{Connections, End, Read, Violation};
use table::{Seen, Table};
