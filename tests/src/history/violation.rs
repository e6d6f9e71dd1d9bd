//! What cannot be true.

use std::fmt;

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something was seen that nobody did, or that was refused.
    Phantom,
    /// What was acknowledged is not there.
    Lost,
    /// One revision for two changes, or two for one.
    Reused,
    /// A write took place on something else than what it expected.
    Overwritten,
    /// A later write has the lower revision.
    Disorder,
    /// A read showed less than was known before it began.
    Stale,
    /// A list is not the state at its revision.
    Torn,
    /// A write was refused for a reason that did not hold.
    Refused,
    /// A watch left out a change.
    Missed,
    /// A watch told changes out of order, or one of them twice.
    Reordered,
    /// A watch told a change as what it was not.
    Misreported,
}

/// A broken promise with its evidence.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// What was seen, and what it contradicts, for people: several lines.
    pub evidence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            Kind::Phantom => "phantom",
            Kind::Lost => "lost write",
            Kind::Reused => "revision used twice",
            Kind::Overwritten => "blind overwrite",
            Kind::Disorder => "disorder",
            Kind::Stale => "stale read",
            Kind::Torn => "torn list",
            Kind::Refused => "wrong refusal",
            Kind::Missed => "missed event",
            Kind::Reordered => "event out of order",
            Kind::Misreported => "wrong event",
        };
        write!(out, "{word}: {}", self.evidence)
    }
}
