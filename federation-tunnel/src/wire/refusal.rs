//! Why a hub does not take an agent's connection or request.

use std::fmt;
use std::str::FromStr;

/// Why a hub refused an agent. Each is counted by the hub and told to the agent where TLS still allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// The peer does not speak TLS, or none of our protocols.
    Protocol,
    /// A tunnel connection without a client certificate.
    NoCertificate,
    /// The certificate is not from the hub's authority, not for clients, or damaged.
    UntrustedCertificate,
    /// The certificate's time is over, or has not begun.
    ExpiredCertificate,
    /// The certificate or its cluster was revoked.
    Revoked,
    /// The certificate names no cluster, or none that exists.
    UnknownCluster,
    /// The cluster was deleted and made again since the certificate was issued.
    OtherUid,
    /// The agent asked to serve a name that its certificate does not list.
    ForeignCluster,
    /// A message or header that is too long.
    Oversized,
    /// A message that cannot be understood.
    Malformed,
    /// The peer took too long over the handshake.
    Timeout,
    /// The hub is about to stop.
    Draining,
    /// Too many connections of this agent or cluster.
    TooMany,
    /// A bootstrap token that does not exist, or with another secret.
    UnknownToken,
    /// A bootstrap token that another key has used.
    UsedToken,
    /// A bootstrap token whose time is over.
    ExpiredToken,
    /// A certificate request that is damaged or uses a key that we do not sign.
    BadRequest,
    /// The hub could not decide: its storage did not answer.
    Internal,
}

impl Refusal {
    /// All of them, in the order of [`Refusal::index`].
    pub const ALL: [Self; 18] = [
        Self::Protocol,
        Self::NoCertificate,
        Self::UntrustedCertificate,
        Self::ExpiredCertificate,
        Self::Revoked,
        Self::UnknownCluster,
        Self::OtherUid,
        Self::ForeignCluster,
        Self::Oversized,
        Self::Malformed,
        Self::Timeout,
        Self::Draining,
        Self::TooMany,
        Self::UnknownToken,
        Self::UsedToken,
        Self::ExpiredToken,
        Self::BadRequest,
        Self::Internal,
    ];

    /// Its place in [`Refusal::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The word on the wire, in logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::NoCertificate => "no-certificate",
            Self::UntrustedCertificate => "untrusted-certificate",
            Self::ExpiredCertificate => "expired-certificate",
            Self::Revoked => "revoked",
            Self::UnknownCluster => "unknown-cluster",
            Self::OtherUid => "other-uid",
            Self::ForeignCluster => "foreign-cluster",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
            Self::Timeout => "timeout",
            Self::Draining => "draining",
            Self::TooMany => "too-many",
            Self::UnknownToken => "unknown-token",
            Self::UsedToken => "used-token",
            Self::ExpiredToken => "expired-token",
            Self::BadRequest => "bad-request",
            Self::Internal => "internal",
        }
    }

    /// Whether trying again soon makes sense: nobody has to change anything for it to succeed.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::Draining | Self::TooMany | Self::Internal
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Not a code that this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an unknown refusal")]
pub struct UnknownRefusal;

impl FromStr for Refusal {
    type Err = UnknownRefusal;

    fn from_str(code: &str) -> Result<Self, UnknownRefusal> {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.code() == code)
            .ok_or(UnknownRefusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_place_and_its_own_code() {
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal.index(), index);
            assert_eq!(refusal.code().parse(), Ok(refusal));
        }
    }
}
