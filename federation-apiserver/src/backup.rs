//! The commands `backup` and `restore`: all objects of the hub in one file, and back into an empty database.
//!
//! Sealed objects stay sealed in the file: keep the encryption keys beside it, but not in the same place.

use std::io::Write;
use std::path::{Path, PathBuf};

use apiserver::seams::Seams;
use apiserver_store::{
    Backend, BackendError, BackupError, BackupReport, OpenBackendError, RestoreError, Revision,
    open_backend,
};
use tokio::fs::File;

use crate::config::Config;

/// Why a backup was not made or not restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupCommandError {
    /// The database cannot be used.
    #[error("the database cannot be opened; if a hub on SQLite has it, stop that hub")]
    Open(#[source] OpenBackendError),
    /// The new file cannot be made.
    #[error("{} cannot be written", path.display())]
    Create {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is worse to take that for a backup than to have none.
    #[error("no backup was made: no hub has ever written to {0}; is it the right database?")]
    Empty(String),
    /// The database cannot be asked whether there is anything in it.
    #[error("no backup was made: the database cannot be read")]
    Read(#[source] BackendError),
    /// There is no backup.
    #[error("no backup was made")]
    Backup(#[source] BackupError),
    /// Nothing was restored.
    #[error("nothing was restored")]
    Restore(#[source] RestoreError),
}

/// Writes a backup into a new file, which only its owner can read. No file is left of one that was not made.
pub(crate) async fn backup(config: &Config, path: &Path) -> Result<(), BackupCommandError> {
    let create = |source| BackupCommandError::Create {
        path: path.to_owned(),
        source,
    };
    let backend = open_backend(&config.database)
        .await
        .map_err(BackupCommandError::Open)?;
    let head = backend.head().await.map_err(BackupCommandError::Read)?;
    if head.revision == Revision::ZERO {
        close(&*backend).await;
        return Err(BackupCommandError::Empty(config.database.to_string()));
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await.map_err(create)?;
    let written = write(&*backend, &mut file).await;
    close(&*backend).await;
    match written {
        Ok(report) => {
            tell("backed up", &report);
            Ok(())
        }
        Err(error) => {
            // It would be in the way of the next attempt, and might be taken for a backup.
            let _ = tokio::fs::remove_file(path).await;
            Err(BackupCommandError::Backup(error))
        }
    }
}

async fn write(backend: &dyn Backend, file: &mut File) -> Result<BackupReport, BackupError> {
    let report = apiserver_store::backup(backend, file).await?;
    file.sync_all().await?;
    Ok(report)
}

/// Restores a backup into an empty database.
pub(crate) async fn restore(config: &Config, path: &Path) -> Result<(), BackupCommandError> {
    let backend = open_backend(&config.database)
        .await
        .map_err(BackupCommandError::Open)?;
    let now = Seams::system().now().into();
    let restored = apiserver_store::restore(&*backend, path, now).await;
    close(&*backend).await;
    tell("restored", &restored.map_err(BackupCommandError::Restore)?);
    Ok(())
}

async fn close(backend: &dyn Backend) {
    if let Err(error) = backend.close().await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the database did not close cleanly");
    }
}

fn tell(done: &str, report: &BackupReport) {
    let BackupReport {
        revision, objects, ..
    } = report;
    // Nobody may be listening, which changes nothing.
    let _ = writeln!(
        std::io::stdout(),
        "{objects} objects {done}, as of revision {revision}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_nobody_has_written_to_is_not_backed_up() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::local(directory.path().join("mistyped"));
        let file = directory.path().join("hub.backup");
        let refused = backup(&config, &file).await.unwrap_err();
        assert!(matches!(refused, BackupCommandError::Empty(_)));
        assert!(!file.exists());
    }
}
