//! SQLite's and sqlx's errors in the store's words.

use crate::{BackendError, Problem, TransactError};

/// The kind of trouble that SQLite's primary result code stands for (<https://sqlite.org/rescode.html>).
fn problem(error: &sqlx::Error) -> Problem {
    match error {
        sqlx::Error::Io(_) => Problem::Io,
        sqlx::Error::PoolTimedOut => Problem::Busy,
        sqlx::Error::PoolClosed => Problem::Closed,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Problem::Damaged,
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok());
            match code.map(|code| code & 0xff) {
                Some(5 | 6) => Problem::Busy,
                Some(8) => Problem::ReadOnly,
                Some(10 | 14) => Problem::Io,
                Some(11 | 26) => Problem::Damaged,
                Some(13) => Problem::Full,
                _ => Problem::Other,
            }
        }
        _ => Problem::Other,
    }
}

impl From<sqlx::Error> for BackendError {
    fn from(error: sqlx::Error) -> Self {
        BackendError::new(problem(&error), error)
    }
}

/// What a failed COMMIT means. Only when SQLite reports I/O trouble can the commit record have reached the
/// file without being known to be on the disk; then a crash now could bring the transaction back. For every
/// other reason SQLite gives it has not written that record. Anything that is not SQLite's own word is doubt.
pub(super) fn failed_commit(error: sqlx::Error) -> TransactError {
    let is_from_sqlite = matches!(error, sqlx::Error::Database(_));
    let error = BackendError::from(error);
    match error.problem() {
        Problem::Full | Problem::ReadOnly | Problem::Busy if is_from_sqlite => {
            TransactError::Failed(error)
        }
        _ => TransactError::Unknown(error),
    }
}

/// A number in the database that cannot be what it should.
pub(super) fn damaged(what: impl Into<String>) -> BackendError {
    BackendError::new(Problem::Damaged, what.into())
}
