//! Decides whether what clients saw of an API server can be true: pure, from a recorded [`History`] to [`check`]'s verdict.
//!
//! Everything that an API server answers carries a revision, and revisions are promised to be the order of commits. So the order need not be
//! searched for: each write that anybody saw has its place, and the question is whether all that was seen fits it.
//!
//! - **Writes**: what was acknowledged has happened, once, on what it expected; what was refused has not; what is unknown may have.
//!   No revision belongs to two changes, no change to two revisions.
//! - **Time**: a change that began after another was seen has the higher revision.
//! - **Reads**: a list is the state at its revision, exactly. A read that asks for the latest shows nothing older than what anybody had
//!   seen when it began; one that asks for a revision shows that one, or a later one, as it asked.
//! - **Watches**: from where a watch started to the last revision that it told, every change came, in order, once, as what it was.
//!
//! A deletion that nobody saw, though one may have happened, may lie anywhere between the changes around it.
//!
//! What this does not do: it does not know how the clients recorded, and does no I/O.

mod check;
mod lives;
mod reads;
mod record;
mod tell;
#[cfg(test)]
mod tests;
mod time;
mod truth;
mod violation;
mod watches;

pub use check::{Summary, check};
pub use record::{
    Call, Event, Freshness, History, Operation, Origin, Outcome, Refusal, Revision, Seen, Time,
    Version, Watch, Write,
};
pub use violation::{Kind, Violation};
