//! Histories in words, for the evidence of violations.

use std::fmt;

use super::record::{Call, Event, Freshness, History, Operation, Outcome, Refusal, Time, Write};

/// Who has seen something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// The operation of this number.
    Operation(usize),
    /// A watch, and which of its events.
    Watch(usize, usize),
}

impl Source {
    /// How it was seen.
    pub(super) fn tell(self, history: &History) -> String {
        match self {
            Self::Operation(number) => history.operations[number].to_string(),
            Self::Watch(watch, event) => {
                let watch = &history.watches[watch];
                let seen = &watch.events[event];
                format!(
                    "watch of {}, event {event} at {}: {}",
                    watch.client,
                    Moment(seen.at),
                    seen.event
                )
            }
        }
    }
}

/// A time in seconds.
pub(super) struct Moment(pub(super) Time);

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}.{:06} s",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000 / 1000
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (Moment(self.start), Moment(self.end));
        write!(out, "{} from {start} to {end}: {}", self.client, self.call)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write {
                key,
                write,
                outcome,
            } => write!(out, "{write} {key}: {outcome}"),
            Self::Get {
                key,
                freshness,
                found: Some(found),
            } => {
                let (value, revision) = (&found.value, found.revision);
                write!(out, "get {key} ({freshness}): {value:?} at {revision}")
            }
            Self::Get { key, freshness, .. } => write!(out, "get {key} ({freshness}): nothing"),
            Self::List {
                freshness,
                revision,
                items,
            } => write!(
                out,
                "list ({freshness}): {} objects at {revision}",
                items.len()
            ),
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { value } => write!(out, "create {value:?} as"),
            Self::Update {
                value,
                expect: None,
            } => write!(out, "put {value:?} in"),
            Self::Update {
                value,
                expect: Some(expect),
            } => write!(out, "put {value:?} in place of {expect} in"),
            Self::Delete { expect } => write!(out, "delete {expect} of"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(Some(revision)) => write!(out, "acknowledged as {revision}"),
            Self::Done(None) => out.write_str("acknowledged"),
            Self::Unknown => out.write_str("outcome unknown"),
            Self::Refused(refusal) => out.write_str(match refusal {
                Refusal::Exists => "refused, it exists",
                Refusal::Missing => "refused, there is none",
                Refusal::Conflict => "refused, it is another one",
                Refusal::Unavailable => "refused, the store is unavailable",
            }),
        }
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => out.write_str("latest"),
            Self::Any => out.write_str("any"),
            Self::NotOlderThan(revision) => write!(out, "at least {revision}"),
            Self::Exact(revision) => write!(out, "exactly {revision}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, key, version) = match self {
            Self::Added(key, version) => ("added", key, version),
            Self::Modified(key, version) => ("modified", key, version),
            Self::Deleted(key, version) => ("deleted", key, version),
            Self::Bookmark(revision) => return write!(out, "bookmark {revision}"),
            Self::InitialEnd(revision) => return write!(out, "that was all at {revision}"),
        };
        write!(
            out,
            "{word} {key} at {}, {:?}",
            version.revision, version.value
        )
    }
}
