//! One connection to a database server, whichever it is.
//!
//! The rest of the backend is written once over this: it knows statements and rows, and no driver.

use std::{io, time::Duration};

use sqlx::{
    AssertSqlSafe, MySql, MySqlConnection, PgConnection, Postgres, Row as _,
    mysql::{MySqlQueryResult, MySqlRow},
    postgres::{PgQueryResult, PgRow},
};

use super::statement::{Statement, Value};
use crate::{
    BackendError,
    backend::{Cells, damaged},
};

/// No single answer takes longer than this, unless the network swallows it. Longer than any time limit that we
/// set on the server, so that the server's word comes first.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection. After any error, drop it: a fresh one is the only state that is certainly sound.
#[derive(Debug)]
pub(super) enum Link {
    Postgres(PgConnection),
    MySql {
        connection: MySqlConnection,
        /// Whether values travel beside prepared statements, or as literals in plain text.
        prepared: bool,
    },
}

/// A row of an answer; columns are numbered from 0.
#[derive(Debug)]
pub(super) enum Row {
    Postgres(PgRow),
    MySql(MySqlRow),
}

impl Link {
    /// Runs a statement and returns its rows.
    pub(super) async fn fetch(&mut self, statement: &Statement) -> Result<Vec<Row>, sqlx::Error> {
        in_time(async {
            match self {
                Self::Postgres(connection) => {
                    let rows = postgres(statement).fetch_all(connection).await?;
                    Ok(rows.into_iter().map(Row::Postgres).collect())
                }
                Self::MySql {
                    connection,
                    prepared: true,
                } => {
                    let rows = mysql(statement).fetch_all(connection).await?;
                    Ok(rows.into_iter().map(Row::MySql).collect())
                }
                Self::MySql { connection, .. } => {
                    let text = AssertSqlSafe(statement.literal());
                    let rows = sqlx::raw_sql(text).fetch_all(connection).await?;
                    Ok(rows.into_iter().map(Row::MySql).collect())
                }
            }
        })
        .await
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<u64, sqlx::Error> {
        in_time(async {
            match self {
                Self::Postgres(connection) => postgres(statement)
                    .execute(connection)
                    .await
                    .map(|done: PgQueryResult| done.rows_affected()),
                Self::MySql {
                    connection,
                    prepared: true,
                } => mysql(statement)
                    .execute(connection)
                    .await
                    .map(|done: MySqlQueryResult| done.rows_affected()),
                Self::MySql { connection, .. } => {
                    let text = AssertSqlSafe(statement.literal());
                    let done = sqlx::raw_sql(text).execute(connection).await?;
                    Ok(done.rows_affected())
                }
            }
        })
        .await
    }

    /// Runs statements without values one after the other, in one round trip where the server takes that, and
    /// returns all their rows. Stops at the first that fails.
    pub(super) async fn run(&mut self, statements: &[&str]) -> Result<Vec<Row>, sqlx::Error> {
        in_time(async {
            match self {
                Self::Postgres(connection) => {
                    let text = AssertSqlSafe(statements.join("; "));
                    let rows = sqlx::raw_sql(text).fetch_all(connection).await?;
                    Ok(rows.into_iter().map(Row::Postgres).collect())
                }
                Self::MySql {
                    connection,
                    prepared: true,
                } => {
                    let text = AssertSqlSafe(statements.join("; "));
                    let rows = sqlx::raw_sql(text).fetch_all(connection).await?;
                    Ok(rows.into_iter().map(Row::MySql).collect())
                }
                Self::MySql { connection, .. } => {
                    let mut all = Vec::new();
                    for statement in statements {
                        let text = AssertSqlSafe((*statement).to_owned());
                        let rows = sqlx::raw_sql(text).fetch_all(&mut *connection).await?;
                        all.extend(rows.into_iter().map(Row::MySql));
                    }
                    Ok(all)
                }
            }
        })
        .await
    }

    /// Tells the server that we leave.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        use sqlx::Connection;
        in_time(async {
            match self {
                Self::Postgres(connection) => connection.close().await,
                Self::MySql { connection, .. } => connection.close().await,
            }
        })
        .await
    }
}

/// A server that does not answer at all is a lost connection.
async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| {
            let what = format!("no answer within {} seconds", PATIENCE.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, what).into())
        })
}

fn postgres(
    statement: &Statement,
) -> sqlx::query::Query<'_, Postgres, sqlx::postgres::PgArguments> {
    let mut query = sqlx::query::<Postgres>(AssertSqlSafe(statement.numbered()));
    for value in &statement.values {
        query = match value {
            Value::Int(int) => query.bind(*int),
            Value::Text(text) => query.bind(text.as_str()),
            Value::Blob(blob) => query.bind(blob.as_deref()),
        };
    }
    query
}

fn mysql(statement: &Statement) -> sqlx::query::Query<'_, MySql, sqlx::mysql::MySqlArguments> {
    let mut query = sqlx::query::<MySql>(AssertSqlSafe(statement.marked().to_owned()));
    for value in &statement.values {
        query = match value {
            Value::Int(int) => query.bind(*int),
            // Text is stored as bytes there: no character set, no collation.
            Value::Text(text) => query.bind(text.as_bytes()),
            Value::Blob(blob) => query.bind(blob.as_deref()),
        };
    }
    query
}

impl Cells for Row {
    fn int(&self, column: usize) -> Result<i64, BackendError> {
        self.opt_int(column)?
            .ok_or_else(|| damaged(format!("column {column} has no number")))
    }

    fn opt_int(&self, column: usize) -> Result<Option<i64>, BackendError> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::MySql(row) => row.try_get(column)?,
        })
    }

    fn text(&self, column: usize) -> Result<&str, BackendError> {
        match self {
            Self::Postgres(row) => Ok(row.try_get(column)?),
            Self::MySql(row) => {
                let bytes: &[u8] = row.try_get_unchecked(column)?;
                std::str::from_utf8(bytes)
                    .map_err(|_| damaged(format!("column {column} is not text")))
            }
        }
    }

    fn blob(&self, column: usize) -> Result<Vec<u8>, BackendError> {
        self.opt_blob(column)?
            .ok_or_else(|| damaged(format!("column {column} has no value")))
    }

    fn opt_blob(&self, column: usize) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::MySql(row) => row.try_get(column)?,
        })
    }
}
