//! What can go wrong with a database, in words that do not depend on which one it is.

use std::{error::Error, fmt, sync::Arc};

/// What kind of trouble a database is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No space is left for data. Passes when there is space again.
    Full,
    /// The database cannot be written.
    ReadOnly,
    /// Another program keeps the database locked for longer than we waited, or there is no connection left.
    Busy,
    /// The disk or the connection failed.
    Io,
    /// What was read cannot be what was written.
    Damaged,
    /// A value cannot be sealed or opened: the database itself is well.
    Sealing,
    /// The store was closed.
    Closed,
    /// Anything else; the source says what.
    Other,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no space is left for the database",
            Self::ReadOnly => "the database is read-only",
            Self::Busy => "the database is busy or locked by another program",
            Self::Io => "reading or writing the database failed",
            Self::Damaged => "the database is damaged",
            Self::Sealing => "a value cannot be sealed or opened",
            Self::Closed => "the store is closed",
            Self::Other => "the database reported an error",
        })
    }
}

/// Trouble with a database. Cheap to clone, because one failed transaction answers many callers.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem}")]
pub struct BackendError {
    problem: Problem,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl BackendError {
    /// An error of that kind with what the database said.
    pub fn new(problem: Problem, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            problem,
            source: Some(Arc::from(source.into())),
        }
    }

    /// The answer to every call after the store was closed.
    pub fn closed() -> Self {
        Self {
            problem: Problem::Closed,
            source: None,
        }
    }

    /// The kind of trouble, for those who act on it.
    pub fn problem(&self) -> Problem {
        self.problem
    }
}

/// What was read cannot be what was written.
pub(crate) fn damaged(what: impl Into<String>) -> BackendError {
    BackendError::new(Problem::Damaged, what.into())
}

/// How a write transaction failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransactError {
    /// Nothing was committed, and nothing will be.
    #[error("the transaction failed")]
    Failed(#[source] BackendError),
    /// It may have been committed, or may become so.
    #[error("the transaction's outcome is unknown")]
    Unknown(#[source] BackendError),
}
