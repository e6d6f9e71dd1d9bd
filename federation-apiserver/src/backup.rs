//! The commands `backup` and `restore`: all objects of the hub in one file, and back into an empty database.
//!
//! Sealed objects stay sealed in the file: keep the encryption keys beside it, but not in the same place.

use std::io::Write;
use std::path::{Path, PathBuf};

use apiserver_store::{BackupError, BackupReport, OpenBackendError, RestoreError, open_backend};
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
    /// There is no backup.
    #[error("no backup was made")]
    Backup(#[source] BackupError),
    /// Nothing was restored.
    #[error("nothing was restored")]
    Restore(#[source] RestoreError),
}

/// Writes a backup into a new file, which only its owner can read.
pub(crate) async fn backup(config: &Config, path: &Path) -> Result<(), BackupCommandError> {
    let create = |source| BackupCommandError::Create {
        path: path.to_owned(),
        source,
    };
    let backend = open_backend(&config.database)
        .await
        .map_err(BackupCommandError::Open)?;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await.map_err(create)?;
    let report = apiserver_store::backup(&*backend, &mut file)
        .await
        .map_err(BackupCommandError::Backup)?;
    file.sync_all().await.map_err(create)?;
    close(&*backend).await;
    tell("backed up", &report);
    Ok(())
}

/// Restores a backup into an empty database.
pub(crate) async fn restore(config: &Config, path: &Path) -> Result<(), BackupCommandError> {
    let backend = open_backend(&config.database)
        .await
        .map_err(BackupCommandError::Open)?;
    let restored = apiserver_store::restore(&*backend, path).await;
    close(&*backend).await;
    tell("restored", &restored.map_err(BackupCommandError::Restore)?);
    Ok(())
}

async fn close(backend: &dyn apiserver_store::Backend) {
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
