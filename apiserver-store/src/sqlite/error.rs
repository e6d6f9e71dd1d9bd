//! What a failed commit of SQLite's means.

use crate::{BackendError, Problem, TransactError};

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
