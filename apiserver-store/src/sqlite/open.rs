//! Opening and closing: files, connections, settings.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{
        SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};
use tokio::sync::Mutex;

use super::{lock::DirectoryLock, schema};
use crate::{BackendError, backend::ValueCodec};

/// How long to wait when another program (a backup, a person with a shell) holds SQLite's own lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A reader that gets no connection for so long is told so.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers that nobody needs are closed after this.
const READER_IDLE: Duration = Duration::from_secs(60);
/// A snapshot that someone has not read to its end keeps a reader open; closing waits no longer than this.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// The WAL is cut back to this when it starts over, in bytes.
const WAL_KEEP: &str = "16777216";

/// Where and how to keep a store in SQLite.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// A directory for this store alone; created if missing. On a local disk: SQLite's WAL does not work
    /// over a network file system.
    pub directory: PathBuf,
    /// At most so many reads at the same time.
    pub readers: u32,
}

impl SqliteOptions {
    /// The usual settings for a store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            readers: 4,
        }
    }
}

/// Why a store cannot be opened from a directory.
#[derive(Debug, thiserror::Error)]
pub enum SqliteOpenError {
    /// The directory or a file in it cannot be made or opened.
    #[error("cannot use {}", path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server runs on this directory.
    #[error("{} is in use by {holder}; stop it, or choose another directory", directory.display())]
    InUse {
        /// Which directory.
        directory: PathBuf,
        /// The process, as it wrote itself into the lock file.
        holder: String,
    },
    /// The database was made by another version of this program.
    #[error(
        "the database has schema version {found}, this program knows {supported}; use the version that \
         wrote it, or a newer one"
    )]
    Version {
        /// The database's version.
        found: i64,
        /// Ours.
        supported: i64,
    },
    /// There is a database, but none of ours.
    #[error("the database was not made by this program")]
    Foreign,
    /// SQLite cannot work with it.
    #[error("cannot open the database")]
    Database(#[from] BackendError),
}

/// A store in an SQLite file. See [`SqliteOptions`] for what it needs.
#[derive(Debug)]
pub struct SqliteBackend {
    /// The only connection that writes. `None` after trouble, until the next write connects anew.
    pub(super) writer: Mutex<Option<SqliteConnection>>,
    pub(super) readers: SqlitePool,
    pub(super) values: ValueCodec,
    pub(super) file: PathBuf,
    // Last, so that it is released after the connections.
    lock: Mutex<Option<DirectoryLock>>,
}

impl SqliteBackend {
    /// Opens the store in a directory, or creates it. Readable by the own user only, because it may hold
    /// secrets.
    ///
    /// # Errors
    /// [`SqliteOpenError`]; [`SqliteOpenError::InUse`] names the process that has the directory.
    pub async fn open(options: SqliteOptions) -> Result<Self, SqliteOpenError> {
        let SqliteOptions { directory, readers } = options;
        let file = directory.join("store.db");
        make_private_directory(&directory).map_err(|source| SqliteOpenError::Directory {
            path: directory.clone(),
            source,
        })?;
        let lock = DirectoryLock::take(&directory.join("store.lock"))?;
        make_private_file(&file).map_err(|source| SqliteOpenError::Directory {
            path: file.clone(),
            source,
        })?;
        let mut writer = connect_writer(&file).await?;
        schema::prepare(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(readers.max(1))
            .idle_timeout(READER_IDLE)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(settings(&file).pragma("query_only", "ON"));
        let writer = Mutex::new(Some(writer));
        Ok(Self {
            writer,
            readers,
            values: ValueCodec,
            file,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Closes the readers, then the writer, whose closing moves the WAL into the database and removes it.
    pub(super) async fn shut(&self) -> Result<(), BackendError> {
        // What is too late is closed when it comes back to the pool; it only reads.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, self.readers.close()).await;
        let closed = match self.writer.lock().await.take() {
            Some(writer) => writer.close().await,
            None => Ok(()),
        };
        self.lock.lock().await.take();
        Ok(closed?)
    }
}

/// Opens the write connection.
pub(super) async fn connect_writer(file: &Path) -> Result<SqliteConnection, BackendError> {
    Ok(settings(file).connect().await?)
}

fn settings(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("journal_size_limit", WAL_KEEP)
        .disable_statement_logging()
}

#[cfg(unix)]
fn make_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(not(unix))]
fn make_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Creates the file if it is missing. SQLite gives the files beside it the same permissions.
fn make_private_file(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
