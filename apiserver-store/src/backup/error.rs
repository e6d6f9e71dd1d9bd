//! What goes wrong with backups.

use std::io;

use crate::BackendError;

/// Why there is no backup. What was written so far has no valid end and will not be restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database cannot be read.
    #[error("the database cannot be read")]
    Database(#[from] BackendError),
    /// The file cannot be written.
    #[error("the backup cannot be written")]
    File(#[from] io::Error),
}

/// Why a backup was not restored. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file cannot be read.
    #[error("the backup cannot be read")]
    File(#[source] io::Error),
    /// It is not a backup, not a whole one, or changed since.
    #[error("the backup is not intact: {0}")]
    Damaged(&'static str),
    /// There is something in the database already.
    #[error("the database is not empty; restore into a new one")]
    NotEmpty,
    /// The database would not take it.
    #[error("the database cannot be written")]
    Database(#[from] BackendError),
}
