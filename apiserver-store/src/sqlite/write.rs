//! Writing: the one connection, its transactions, and what to do when they fail.

use futures::StreamExt;
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use tokio::sync::MutexGuard;

use super::{SqliteBackend, apply::apply_batch, error::failed_commit, open::connect_writer, rows};
use crate::{
    BackendError, Batch, Head, Record, Records, Revision, TransactError,
    backend::{JUMP, to_sql},
};

/// The write connection for one transaction. Unless [`Held::keep`] is called it is thrown away afterwards: after
/// any error a fresh connection is the one state that is certainly sound.
pub(crate) struct Held<'a> {
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
}

impl Held<'_> {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(crate) fn keep(mut self) {
        *self.slot = Some(self.connection);
    }
}

impl SqliteBackend {
    pub(crate) async fn hold_writer(&self) -> Result<Held<'_>, BackendError> {
        let mut slot = self.writer.lock().await;
        let connection = match slot.take() {
            Some(connection) => connection,
            None if self.readers.is_closed() => return Err(BackendError::closed()),
            None => connect_writer(&self.file).await?,
        };
        Ok(Held { slot, connection })
    }

    pub(super) async fn write_batch(&self, batch: &mut Batch) -> Result<(), TransactError> {
        let mut held = self.hold_writer().await.map_err(TransactError::Failed)?;
        let mut tx = begin(held.connection())
            .await
            .map_err(TransactError::Failed)?;
        let wrote = apply_batch(&mut tx, batch, self.values)
            .await
            .map_err(TransactError::Failed)?;
        if wrote {
            tx.commit().await.map_err(failed_commit)?;
        } else {
            // Nothing was written, so it does not matter whether this works: what counts is the connection.
            tx.rollback()
                .await
                .map_err(|error| TransactError::Failed(error.into()))?;
        }
        held.keep();
        Ok(())
    }

    /// Writes something that changes nothing. SQLite puts it where the doubtful transaction's frames would be
    /// in the WAL; once it is on the disk they are gone, unless they counted before.
    pub(super) async fn write_barrier(&self) -> Result<Head, BackendError> {
        let mut held = self.hold_writer().await?;
        let mut tx = begin(held.connection()).await?;
        sqlx::query("UPDATE rev SET rv = rv WHERE id = 1")
            .execute(&mut *tx)
            .await?;
        let head = rows::head(&mut tx).await?;
        tx.commit().await?;
        held.keep();
        Ok(head)
    }

    pub(super) async fn leave_behind(&self, told: Revision) -> Result<Head, BackendError> {
        let mut held = self.hold_writer().await?;
        let mut tx = begin(held.connection()).await?;
        let raised = Revision::new(told.get() + JUMP);
        sqlx::query(
            "UPDATE rev SET rv = ?, compacted = ?, epoch = epoch + 1 WHERE id = 1 AND rv < ?",
        )
        .bind(to_sql(raised))
        .bind(to_sql(raised))
        .bind(to_sql(told))
        .execute(&mut *tx)
        .await?;
        let head = rows::head(&mut tx).await?;
        tx.commit().await?;
        held.keep();
        Ok(head)
    }

    pub(super) async fn fill_empty(
        &self,
        head: Head,
        mut records: Records,
    ) -> Result<bool, BackendError> {
        let mut held = self.hold_writer().await?;
        let mut tx = begin(held.connection()).await?;
        if rows::head(&mut tx).await?.revision != Revision::ZERO {
            tx.rollback().await?;
            held.keep();
            return Ok(false);
        }
        while let Some(record) = records.next().await {
            let Record {
                key,
                value,
                revision,
                create_revision,
            } = record?;
            sqlx::query(
                "INSERT INTO obj (resource, namespace, name, rv, create_rv, value)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(key.resource.to_string())
            .bind(key.namespace.to_string())
            .bind(key.name.to_string())
            .bind(to_sql(revision))
            .bind(to_sql(create_revision))
            .bind(self.values.encode(&key, &value))
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query("UPDATE rev SET rv = ?, compacted = ?, epoch = ? WHERE id = 1")
            .bind(to_sql(head.revision))
            .bind(to_sql(head.compacted))
            .bind(to_sql(Revision::new(head.epoch)))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        held.keep();
        Ok(true)
    }

    pub(super) async fn raise_compacted(&self, through: Revision) -> Result<(), BackendError> {
        let mut held = self.hold_writer().await?;
        let mut tx = begin(held.connection()).await?;
        sqlx::query("UPDATE rev SET compacted = max(compacted, ?) WHERE id = 1")
            .bind(to_sql(through))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        held.keep();
        Ok(())
    }

    pub(super) async fn delete_compacted(&self, limit: u64) -> Result<u64, BackendError> {
        let mut held = self.hold_writer().await?;
        let mut tx = begin(held.connection()).await?;
        let Head { compacted, .. } = rows::head(&mut tx).await?;
        let oldest: Option<i64> = sqlx::query_scalar("SELECT min(rv) FROM log")
            .fetch_one(&mut *tx)
            .await?;
        let through = oldest
            .map(|oldest| oldest.saturating_add_unsigned(limit).saturating_sub(1))
            .map_or(0, |last| last.min(to_sql(compacted)));
        let deleted = sqlx::query("DELETE FROM log WHERE rv <= ?")
            .bind(through)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if deleted == 0 {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        held.keep();
        Ok(deleted)
    }
}

/// Locks the database for writing, and so the counter row, before anything is read.
async fn begin(connection: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>, BackendError> {
    Ok(connection.begin_with("BEGIN IMMEDIATE").await?)
}
