//! Opening and closing a store on a server.

use std::{sync::atomic::AtomicU64, time::Duration};

use super::{
    connect::{Connections, Server},
    dialect::Dialect,
    link::Link,
    news::News,
    schema,
};
use crate::{
    BackendError,
    backend::{Cells, ValueCodec, damaged},
};

/// The writer, and the compactor beside it.
const WRITERS: u16 = 2;
/// Closing waits no longer for what is under way.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// Values per statement, in bytes: enough to make the round trip negligible.
const STATEMENT_BYTES: usize = 4 << 20;
/// Each process that opens a store gets a number from the database; its transactions are numbered below it.
const TAG_BITS: u32 = 40;
/// So many process numbers there are before they come again, long forgotten by then: 63 bits in all.
const WRITER_NUMBERS: u64 = 1 << 22;

/// Where a store is on a server, and how many connections it may take. Made from a
/// [`DatabaseUrl`](crate::DatabaseUrl).
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    pub(crate) server: Server,
    /// At most so many connections for reading at the same time. Two more are for writing and compacting, one
    /// for notifications (PostgreSQL), and one for each start or list of an old revision while it lasts.
    pub readers: u16,
    /// How long to try to connect, and to wait for a connection.
    pub timeout: Duration,
}

/// Why a store cannot be opened on a server.
#[derive(Debug, thiserror::Error)]
pub enum RemoteOpenError {
    /// The tables were made by a newer version of this program.
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
    /// The tables cannot be made: mostly a missing permission.
    #[error("cannot make the store's tables in the database")]
    Prepare(#[source] BackendError),
    /// The database cannot hold every text.
    #[error("the database's encoding is {0}; create it with ENCODING 'UTF8'")]
    Encoding(String),
    /// A restore was broken off.
    #[error(
        "a backup was being restored into this database and did not get to its end; restore it again"
    )]
    Unfinished,
    /// The server cannot be reached or does not work.
    #[error("cannot use the database")]
    Database(#[from] BackendError),
}

/// A store on a database server.
#[derive(Debug)]
pub struct RemoteBackend {
    pub(super) dialect: Dialect,
    pub(super) writers: Connections,
    pub(super) readers: Connections,
    pub(super) values: ValueCodec,
    pub(super) statement_bytes: usize,
    pub(super) first_tag: u64,
    pub(super) tags: AtomicU64,
    pub(super) news: Option<News>,
}

impl RemoteBackend {
    /// Opens the store in a database, or makes its tables there. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`RemoteOpenError`].
    pub async fn open(options: RemoteOptions) -> Result<Self, RemoteOpenError> {
        let RemoteOptions {
            server,
            readers,
            timeout,
        } = options;
        let dialect = server.dialect();
        let writers = Connections::new(server.clone(), WRITERS, timeout);
        let mut held = writers.hold().await?;
        let link = &mut held.link;
        check_text(link, dialect).await?;
        schema::prepare(link, dialect).await?;
        if number(link, "restoring").await? != 0 {
            return Err(RemoteOpenError::Unfinished);
        }
        let statement_bytes = statement_bytes(link, dialect).await?;
        let first_tag = (sign_in(link, dialect).await? % WRITER_NUMBERS) << TAG_BITS;
        held.keep();
        let news = match &server {
            Server::Postgres(options) => Some(News::listen(options.clone(), timeout)),
            Server::MySql { .. } => None,
        };
        Ok(Self {
            dialect,
            writers,
            readers: Connections::new(server, readers, timeout),
            values: ValueCodec,
            statement_bytes,
            first_tag,
            tags: AtomicU64::new(0),
            news,
        })
    }

    pub(super) async fn shut(&self) {
        self.readers.close(CLOSE_PATIENCE).await;
        self.writers.close(CLOSE_PATIENCE).await;
    }
}

/// PostgreSQL stores keys as text, which must be able to hold them.
async fn check_text(link: &mut Link, dialect: Dialect) -> Result<(), RemoteOpenError> {
    if dialect != Dialect::Postgres {
        return Ok(());
    }
    let rows = link
        .run(&["SHOW server_encoding"])
        .await
        .map_err(BackendError::from)?;
    match rows.first().map(|row| row.text(0)).transpose()? {
        Some("UTF8") | None => Ok(()),
        Some(other) => Err(RemoteOpenError::Encoding(other.to_owned())),
    }
}

/// How much goes into one statement: MySQL limits its length, and text protocol doubles it. Also the place to
/// warn of a server that does not keep what it acknowledges.
async fn statement_bytes(link: &mut Link, dialect: Dialect) -> Result<usize, BackendError> {
    if dialect == Dialect::Postgres {
        return Ok(STATEMENT_BYTES);
    }
    let rows = link
        .run(&["SELECT CAST(@@max_allowed_packet AS SIGNED)"])
        .await?;
    let packet = rows.first().map_or(Ok(1 << 20), |row| row.int(0))?;
    if packet < 16 << 20 {
        tracing::warn!(
            bytes = packet,
            "max_allowed_packet is below 16 MiB: large objects may be refused"
        );
    }
    let flush = link
        .run(&["SELECT CONCAT(@@innodb_flush_log_at_trx_commit)"])
        .await;
    if let Ok(rows) = flush
        && let Some(Ok(value)) = rows.first().map(|row| row.text(0))
        && value != "1"
    {
        tracing::warn!(
            innodb_flush_log_at_trx_commit = value,
            "the database may lose acknowledged writes in a crash: set it to 1"
        );
    }
    let fits = usize::try_from(packet / 4).unwrap_or(STATEMENT_BYTES);
    Ok(fits.min(STATEMENT_BYTES))
}

/// Takes a number that no other process has.
async fn sign_in(link: &mut Link, dialect: Dialect) -> Result<u64, BackendError> {
    let begin = dialect.begin_write()[0];
    let rows = link
        .run(&[
            begin,
            "SELECT v FROM store_meta WHERE k = 'writers' FOR UPDATE",
        ])
        .await?;
    let last = rows
        .first()
        .ok_or_else(|| damaged("the number of writers is missing"))?
        .int(0)?;
    let update = format!("UPDATE store_meta SET v = {} WHERE k = 'writers'", last + 1);
    link.run(&[&update, "COMMIT"]).await?;
    Ok(last.unsigned_abs() + 1)
}

async fn number(link: &mut Link, name: &str) -> Result<i64, BackendError> {
    let query = super::statement::Statement::new("SELECT v FROM store_meta WHERE k = ").text(name);
    let rows = link.fetch(&query).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}
