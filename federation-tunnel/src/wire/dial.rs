//! Why an agent does not connect to a target.

use std::fmt;
use std::str::FromStr;

use http::StatusCode;

/// Why an agent refused a stream. Each is counted at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DialRefusal {
    /// The target is not on the agent's list.
    NotAllowed,
    /// The target is not `host:port`, or the request is no CONNECT.
    BadTarget,
    /// The agent does not serve that cluster.
    ForeignCluster,
    /// The request's headers are too long.
    Oversized,
    /// The host has no address, or the target does not take connections.
    Unreachable,
    /// The target did not answer in time.
    Timeout,
    /// The agent has as many streams as it takes.
    Busy,
}

impl DialRefusal {
    /// All of them, in the order of [`DialRefusal::index`].
    pub const ALL: [Self; 7] = [
        Self::NotAllowed,
        Self::BadTarget,
        Self::ForeignCluster,
        Self::Oversized,
        Self::Unreachable,
        Self::Timeout,
        Self::Busy,
    ];

    /// Its place in [`DialRefusal::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The word on the wire, in logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "not-allowed",
            Self::BadTarget => "bad-target",
            Self::ForeignCluster => "foreign-cluster",
            Self::Oversized => "oversized",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
        }
    }

    /// The HTTP status that goes with it.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::BadTarget => StatusCode::BAD_REQUEST,
            Self::ForeignCluster => StatusCode::MISDIRECTED_REQUEST,
            Self::Oversized => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What a status means that comes without a code.
    pub(crate) fn from_status(status: StatusCode) -> Self {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.status() == status)
            .unwrap_or(Self::Unreachable)
    }

    /// Whether another agent of the cluster may have more luck.
    pub(crate) fn is_worth_another(self) -> bool {
        matches!(self, Self::Unreachable | Self::Busy)
    }
}

impl fmt::Display for DialRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for DialRefusal {
    type Err = super::UnknownRefusal;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.code() == code)
            .ok_or(super::UnknownRefusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_place_code_and_status() {
        for (index, refusal) in DialRefusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal.index(), index);
            assert_eq!(refusal.code().parse(), Ok(refusal));
            assert_eq!(DialRefusal::from_status(refusal.status()), refusal);
        }
    }
}
