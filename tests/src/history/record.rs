//! What clients did and saw.

use std::collections::BTreeMap;

/// Nanoseconds since the recording began, on one clock that never goes back.
pub type Time = u64;

/// A `resourceVersion` as a number. No change has the revision 0.
pub type Revision = u64;

/// One state of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The revision of the write that made it.
    pub revision: Revision,
    /// What that write wrote. No two writes of a history write the same.
    pub value: String,
}

/// What one client asked, and what came of it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who asked; for messages.
    pub client: String,
    /// Before the request was sent.
    pub start: Time,
    /// After the answer was read, or when the client gave up on it.
    pub end: Time,
    /// The question with its answer.
    pub call: Call,
}

/// A question with its answer. Reads that failed say nothing and are not recorded.
#[derive(Clone, Debug)]
pub enum Call {
    /// A write of one object.
    Write {
        /// Which object.
        key: String,
        /// What was to happen.
        write: Write,
        /// What is known of whether it has.
        outcome: Outcome,
    },
    /// A read of one object.
    Get {
        /// Which object.
        key: String,
        /// How old the answer might be.
        freshness: Freshness,
        /// The object; `None` if the answer was that there is none.
        found: Option<Version>,
    },
    /// A read of all objects.
    List {
        /// How old the answer might be.
        freshness: Freshness,
        /// The revision that the list says it shows.
        revision: Revision,
        /// The objects by their keys.
        items: BTreeMap<String, Version>,
    },
}

/// A change that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Make an object that must not be there.
    Create {
        /// What it is to hold.
        value: String,
    },
    /// Replace an object that must be there.
    Update {
        /// What it is to hold.
        value: String,
        /// The revision that it must have, if the client says so.
        expect: Option<Revision>,
    },
    /// Delete an object that must have this revision.
    Delete {
        /// That revision.
        expect: Revision,
    },
}

/// What a client knows of its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, with the new revision unless it was a deletion.
    Done(Option<Revision>),
    /// Certainly not done.
    Refused(Refusal),
    /// The answer was lost, or said that nobody knows.
    Unknown,
}

/// Why a write was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The object is there already.
    Exists,
    /// There is no such object.
    Missing,
    /// The object has another revision.
    Conflict,
    /// The server could not, and says that nothing was changed.
    Unavailable,
}

/// Which answers a read accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Everything that anybody could have seen before.
    Latest,
    /// Any state that there was.
    Any,
    /// That state or a later one.
    NotOlderThan(Revision),
    /// That state.
    Exact(Revision),
}

/// One watch, from its opening to its end, however that came. A client that goes on after an end has opened another.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Who watched; for messages.
    pub client: String,
    /// Where it began.
    pub origin: Origin,
    /// What came, in the order in which it came.
    pub events: Vec<Seen>,
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// After this revision.
    After(Revision),
    /// With the state at some revision, which [`Event::InitialEnd`] tells.
    Initial,
}

/// An event and when it had arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it had arrived.
    pub at: Time,
    /// What it says.
    pub event: Event,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An object was made, or is one of those to begin with.
    Added(String, Version),
    /// An object was replaced.
    Modified(String, Version),
    /// An object was deleted: its last value under the revision of the deletion.
    Deleted(String, Version),
    /// All that came to be until this revision was told.
    Bookmark(Revision),
    /// The objects to begin with were all told; they show this revision.
    InitialEnd(Revision),
}

/// All that was recorded. Nothing was there when it began.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In any order.
    pub operations: Vec<Operation>,
    /// In any order.
    pub watches: Vec<Watch>,
}

impl Write {
    /// What it writes; `None` for a deletion.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Create { value } | Self::Update { value, .. } => Some(value),
            Self::Delete { .. } => None,
        }
    }
}

impl Event {
    /// The revision that it tells.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Added(_, version) | Self::Modified(_, version) | Self::Deleted(_, version) => {
                version.revision
            }
            Self::Bookmark(revision) | Self::InitialEnd(revision) => *revision,
        }
    }
}
