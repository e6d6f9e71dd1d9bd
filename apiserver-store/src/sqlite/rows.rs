//! SQLite's rows.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::{
    BackendError, Head,
    backend::{Cells, damaged, revision},
};

/// Reads the counter row.
pub(super) async fn head(connection: &mut SqliteConnection) -> Result<Head, BackendError> {
    let row = sqlx::query("SELECT rv, compacted, epoch FROM rev WHERE id = 1")
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| damaged("the counter row is missing"))?;
    Ok(Head {
        revision: revision(row.try_get(0)?)?,
        compacted: revision(row.try_get(1)?)?,
        epoch: revision(row.try_get(2)?)?.get(),
    })
}

impl Cells for SqliteRow {
    fn int(&self, column: usize) -> Result<i64, BackendError> {
        Ok(self.try_get(column)?)
    }

    fn opt_int(&self, column: usize) -> Result<Option<i64>, BackendError> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: usize) -> Result<&str, BackendError> {
        Ok(self.try_get(column)?)
    }

    fn blob(&self, column: usize) -> Result<Vec<u8>, BackendError> {
        Ok(self.try_get(column)?)
    }

    fn opt_blob(&self, column: usize) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(self.try_get(column)?)
    }
}
