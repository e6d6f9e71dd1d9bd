//! Why a connection of an agent ended.

use std::fmt;

use crate::wire::Refusal;

/// Why a connection of an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The agent closed it, after a drain or because it stopped.
    Closed,
    /// The socket or the protocol broke.
    Broken,
    /// Nothing was heard for too long.
    Silent,
    /// The agent may no longer serve: its certificate ended or was revoked, or its cluster is gone.
    NoLonger(Refusal),
    /// The hub stops.
    Stopped,
}

impl End {
    /// The words for logs and metrics.
    pub const CODES: [&'static str; 5] = ["closed", "broken", "silent", "no-longer", "stopped"];

    /// The place in [`End::CODES`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Closed => 0,
            Self::Broken => 1,
            Self::Silent => 2,
            Self::NoLonger(_) => 3,
            Self::Stopped => 4,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLonger(refusal) => write!(f, "no longer served: {refusal}"),
            other => f.write_str(Self::CODES[other.index()]),
        }
    }
}
