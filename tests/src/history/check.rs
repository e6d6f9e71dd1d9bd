//! The verdict.

use std::fmt;

use super::reads;
use super::record::{Call, History, Outcome};
use super::time::{Clock, is_mark};
use super::truth::Truth;
use super::violation::Violation;
use super::watches;

/// What was checked and found right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Writes of which the client does not know.
    pub unknown: usize,
    /// Writes that were refused.
    pub refused: usize,
    /// Reads, of one object or of all.
    pub reads: usize,
    /// Watches.
    pub watches: usize,
    /// Events of watches, less bookmarks.
    pub events: usize,
    /// Changes that somebody saw.
    pub changes: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            acknowledged,
            unknown,
            refused,
            reads,
            watches,
            events,
            changes,
        } = self;
        write!(
            out,
            "{acknowledged} writes acknowledged, {unknown} unknown, {refused} refused; {reads} reads; \
             {events} events of {watches} watches; {changes} changes"
        )
    }
}

/// Decides whether a history can be true of a server that keeps its promises.
///
/// # Errors
/// Every promise that is found broken, with its evidence. One fault may break several.
///
/// # Panics
/// Two writes write the same value: then nobody can tell whose is read.
pub fn check(history: &History) -> Result<Summary, Vec<Violation>> {
    let mut truth = Truth::of(history);
    let clock = Clock::of(&truth);
    clock.check(&mut truth);
    reads::check(&mut truth, &clock);
    watches::check(&mut truth);
    if !truth.violations.is_empty() {
        return Err(truth.violations);
    }
    let mut summary = Summary {
        watches: history.watches.len(),
        changes: truth.points.len(),
        ..Summary::default()
    };
    for operation in &history.operations {
        let count = match &operation.call {
            Call::Get { .. } | Call::List { .. } => &mut summary.reads,
            Call::Write { outcome, .. } => match outcome {
                Outcome::Done(_) => &mut summary.acknowledged,
                Outcome::Unknown => &mut summary.unknown,
                Outcome::Refused(_) => &mut summary.refused,
            },
        };
        *count += 1;
    }
    let events = history.watches.iter().flat_map(|watch| &watch.events);
    summary.events = events.filter(|seen| !is_mark(&seen.event)).count();
    Ok(summary)
}
