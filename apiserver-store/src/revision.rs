//! Revisions: the store-wide count of changes, as Kubernetes' `resourceVersion` shows it.

use std::{fmt, num::IntErrorKind, str::FromStr};

/// A point in the history of the whole store.
///
/// Revision *n* is the state after the *n*-th change; [`Revision::ZERO`] is the empty store. Revisions of one
/// store are comparable whatever object they belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The state before the first change. It has no text form: `"0"` means something else to Kubernetes.
    pub const ZERO: Self = Self(0);

    /// Takes a plain number for a revision.
    pub const fn new(revision: u64) -> Self {
        Self(revision)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The revision that the next change gets.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRevisionError {
    /// The text is not a positive decimal number without leading zeros.
    #[error("not a positive decimal number without leading zeros")]
    Malformed,
    /// The number does not fit into 64 bits.
    #[error("too large for a revision")]
    TooLarge,
}

impl FromStr for Revision {
    type Err = ParseRevisionError;

    /// Reads the form that Kubernetes calls well-formed (`k8s.io/apimachinery/pkg/util/resourceversion`):
    /// a positive decimal number, no sign, no leading zero. `""` and `"0"` are left to the caller, because
    /// they are not points in history there.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        if !well_formed {
            return Err(ParseRevisionError::Malformed);
        }
        text.parse()
            .map(Self)
            .map_err(|error: std::num::ParseIntError| match error.kind() {
                IntErrorKind::PosOverflow => ParseRevisionError::TooLarge,
                _ => ParseRevisionError::Malformed,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_follows_kubernetes() {
        assert_eq!("1".parse(), Ok(Revision::new(1)));
        assert_eq!("18446744073709551615".parse(), Ok(Revision::new(u64::MAX)));
        for malformed in ["", "0", "01", "+1", "-1", " 1", "1 ", "1.0", "a", "١"] {
            let parsed = malformed.parse::<Revision>();
            assert_eq!(parsed, Err(ParseRevisionError::Malformed), "{malformed:?}");
        }
        let parsed = "18446744073709551616".parse::<Revision>();
        assert_eq!(parsed, Err(ParseRevisionError::TooLarge));
        assert_eq!(Revision::new(42).to_string(), "42");
    }
}
