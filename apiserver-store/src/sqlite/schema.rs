//! The tables, and which version of them a database has.

use sqlx::{Connection, SqliteConnection};

use super::SqliteOpenError;
use crate::BackendError;

/// The version that this code writes and reads. Raise it with every change that older code would not
/// understand, and convert older databases in [`prepare`].
pub(super) const VERSION: i64 = 1;

/// `rev` is the counter row. `obj` and `log` are ordinary rowid tables, with the key in an index beside `obj`,
/// because their rows are large: new rows then go to the end of the table and the index stays small. The
/// large columns come last, so that a scan that does not want them does not read their overflow pages.
/// `log.prev` repeats what the change replaced: it makes the log readable from either end with nothing else.
const TABLES: [&str; 4] = [
    "CREATE TABLE meta (k TEXT NOT NULL PRIMARY KEY, v) WITHOUT ROWID",
    "CREATE TABLE rev (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        rv INTEGER NOT NULL,
        compacted INTEGER NOT NULL,
        epoch INTEGER NOT NULL
    )",
    "CREATE TABLE obj (
        resource TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        rv INTEGER NOT NULL,
        create_rv INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (resource, namespace, name)
    )",
    "CREATE TABLE log (
        rv INTEGER NOT NULL PRIMARY KEY,
        resource TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        kind INTEGER NOT NULL,
        create_rv INTEGER NOT NULL,
        prev_rv INTEGER,
        value BLOB NOT NULL,
        prev BLOB
    )",
];

/// Creates the tables in an empty database, or checks that they are of our version.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<(), SqliteOpenError> {
    match version(connection).await? {
        Some(VERSION) => Ok(()),
        Some(found) => Err(SqliteOpenError::Version {
            found,
            supported: VERSION,
        }),
        None => Ok(create(connection).await?),
    }
}

/// The version of the tables; `None` if there are none at all.
async fn version(connection: &mut SqliteConnection) -> Result<Option<i64>, SqliteOpenError> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut *connection)
            .await
            .map_err(BackendError::from)?;
    if tables.is_empty() {
        return Ok(None);
    }
    if !tables.iter().any(|table| table == "meta") {
        return Err(SqliteOpenError::Foreign);
    }
    let version: Option<i64> = sqlx::query_scalar("SELECT v FROM meta WHERE k = 'schema_version'")
        .fetch_optional(connection)
        .await
        .map_err(BackendError::from)?;
    version.map(Some).ok_or(SqliteOpenError::Foreign)
}

async fn create(connection: &mut SqliteConnection) -> Result<(), BackendError> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    for table in TABLES {
        sqlx::query(table).execute(&mut *tx).await?;
    }
    sqlx::query("INSERT INTO meta (k, v) VALUES ('schema_version', ?)")
        .bind(VERSION)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO rev (id, rv, compacted, epoch) VALUES (1, 0, 0, 1)")
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}
