//! What the store's operations answer when they cannot do what they were asked.

use crate::{BackendError, Key, Record, Revision};

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The backend cannot even be read.
    #[error("cannot read the store's state")]
    Backend(#[source] BackendError),
}

/// Why a mutation did not happen, or may not have.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The expectation was not met. Nothing was written.
    #[error("the object is not as expected")]
    Conflict {
        /// What is there instead, as the latest commit left it.
        current: Option<Record>,
    },
    /// The key has no resource or no name, or is too long. Nothing was written.
    #[error("not a key that can be stored: {0}")]
    InvalidKey(Key),
    /// The database would not take it. Nothing was written; it may be tried again.
    #[error("the store cannot write")]
    Unavailable(#[source] BackendError),
    /// It may have been written: the database failed in the very moment, and could not be asked since.
    #[error("it is unknown whether the change was stored")]
    UnknownOutcome(#[source] BackendError),
}

/// Why something cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The history that was asked for is forgotten.
    #[error("the revision is compacted; the oldest that can be read is {oldest}")]
    Compacted {
        /// The oldest revision that may be named now.
        oldest: Revision,
    },
    /// The revision does not exist yet.
    #[error("the revision is in the future; the latest is {latest}")]
    Future {
        /// The highest revision that exists.
        latest: Revision,
    },
    /// The database cannot be read.
    #[error("the store cannot be read")]
    Unavailable(#[from] BackendError),
}

/// Why history was not forgotten.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CompactError {
    /// The revision does not exist yet.
    #[error("the revision is in the future; the latest is {latest}")]
    Future {
        /// The highest revision that exists.
        latest: Revision,
    },
    /// The database would not do it, or only a part. It may be tried again.
    #[error("the store cannot be compacted")]
    Unavailable(#[from] BackendError),
}
