//! The seam between what asks for connections and what makes them.

use std::io;
use std::time::Duration;

use async_trait::async_trait;

use crate::seams::BoxIo;

/// Why no connection was made. The text of each goes to whoever asked, over the wire.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The target is not `host:port`, or in a form that names no cluster.
    #[error("{0:?} cannot be a target")]
    Target(String),
    /// Nobody is connected who could reach the target.
    #[error("currently no tunnels available: {0}")]
    NoAgent(String),
    /// The target is not among those that may be dialled.
    #[error("{0} is not an allowed target")]
    NotAllowed(String),
    /// No answer in time.
    #[error("timeout: no answer within {0:?}")]
    Timeout(Duration),
    /// Too many connections.
    #[error("too many connections")]
    Full,
    /// The other side tried, and says why it failed.
    #[error("{0}")]
    Failed(String),
    /// The tunnel ended during the dial.
    #[error("the tunnel ended: {0}")]
    Lost(String),
    /// The socket could not be opened.
    #[error("cannot connect")]
    Io(#[from] io::Error),
}

impl DialError {
    /// The whole story on one line, for a peer that gets nothing but text.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Io(cause) => format!("{self}: {cause}"),
            other => other.to_string(),
        }
    }
}

/// Makes connections. Agents have one that opens sockets; a hub's front ends have one that goes through tunnels.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// Connects to `host:port` as the peer wrote it: whoever implements this decides whether it may. May be dropped at any time, and must
    /// end by itself in bounded time.
    async fn dial(&self, target: &str) -> Result<BoxIo, DialError>;
}
