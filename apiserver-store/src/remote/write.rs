//! Writing: one transaction at a time, and what to do when it fails.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep};

use super::{RemoteBackend, apply::Applying, connect::Held, dialect::Dialect, link::Row};
use crate::{
    BackendError, Batch, Head, Problem, Records, Revision, TransactError,
    backend::{Cells, JUMP, damaged, revision, to_sql},
};

/// A transaction that is known to have failed for a reason that passes is tried again for so long: a restart or
/// a failover of the server that takes no longer is felt as a delay only.
const RETRY: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

impl RemoteBackend {
    pub(super) async fn write_batch(&self, batch: &mut Batch) -> Result<(), TransactError> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.try_batch(batch).await {
                Err(TransactError::Failed(error)) if passes(&error) => error,
                outcome => return outcome,
            };
            // What one connection met, the idle ones have met as well.
            self.writers.distrust();
            if start.elapsed() + pause > RETRY {
                return Err(TransactError::Failed(error));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_batch(&self, batch: &mut Batch) -> Result<(), TransactError> {
        let mut held = self.writers.hold().await.map_err(TransactError::Failed)?;
        let tag = self.next_tag();
        let counter = self.begin(&mut held).await.map_err(TransactError::Failed)?;
        batch.set_tag(tag);
        let mut applying = Applying {
            link: &mut held.link,
            dialect: self.dialect,
            values: &self.values,
            bytes: self.statement_bytes,
            tag: to_sql(Revision::new(tag)),
        };
        let last = applying
            .apply(batch, counter)
            .await
            .map_err(TransactError::Failed)?;
        match last {
            Some(last) => self.commit(&mut held, last).await?,
            None => {
                let ended = held.link.run(&["ROLLBACK"]).await;
                ended.map_err(|error| TransactError::Failed(error.into()))?;
            }
        }
        held.keep();
        Ok(())
    }

    /// Sets the counter and commits, in one round trip where the server takes that.
    async fn commit(&self, held: &mut Held<'_>, last: Revision) -> Result<(), TransactError> {
        let update = format!("UPDATE store_rev SET rv = {last} WHERE id = 1");
        let notify = format!("NOTIFY {}, '{last}'", super::news::CHANNEL);
        let statements: &[&str] = match self.dialect {
            Dialect::Postgres => &[&update, &notify, "COMMIT"],
            Dialect::MySql => &[&update, "COMMIT"],
        };
        match held.link.run(statements).await {
            Ok(_) => Ok(()),
            Err(error) if is_certain(&error) => Err(TransactError::Failed(error.into())),
            Err(error) => Err(TransactError::Unknown(error.into())),
        }
    }

    /// Begins a transaction with the counter row locked, and returns the counter.
    async fn begin(&self, held: &mut Held<'_>) -> Result<Revision, BackendError> {
        let rows = held.link.run(&self.dialect.begin_write()).await?;
        counter(&rows)
    }

    /// Locks the counter row, which a doubtful transaction holds for as long as it can still become either, and
    /// writes it as it is, to see that it can be.
    pub(super) async fn write_barrier(&self) -> Result<Head, BackendError> {
        self.writers.distrust();
        let mut held = self.writers.hold().await?;
        self.begin(&mut held).await?;
        held.link
            .run(&["UPDATE store_rev SET rv = rv WHERE id = 1", "COMMIT"])
            .await?;
        let head = self.head_on(&mut held.link).await?;
        held.keep();
        Ok(head)
    }

    /// Whether the log has that transaction after `base`: `None` if it no longer tells.
    pub(super) async fn find_tag(
        &self,
        base: Revision,
        tag: u64,
    ) -> Result<Option<bool>, BackendError> {
        let mut held = self.writers.hold().await?;
        let found = format!("SELECT batch FROM store_log WHERE rv = {}", base.next());
        let rows = held.link.run(&[&found]).await?;
        let head = self.head_on(&mut held.link).await?;
        held.keep();
        match rows.first() {
            Some(row) => Ok(Some(revision(row.int(0)?)?.get() == tag)),
            None if head.compacted > base => Ok(None),
            None => Ok(Some(false)),
        }
    }

    pub(super) async fn leave_behind(&self, told: Revision) -> Result<Head, BackendError> {
        let mut held = self.writers.hold().await?;
        let counter = self.begin(&mut held).await?;
        let raised = told.get() + JUMP;
        let counter_row =
            format!("UPDATE store_rev SET rv = {raised}, epoch = epoch + 1 WHERE id = 1");
        let compacted = format!("UPDATE store_meta SET v = {raised} WHERE k = 'compacted'");
        let statements: &[&str] = if counter < told {
            &[&counter_row, &compacted, "COMMIT"]
        } else {
            &["ROLLBACK"]
        };
        held.link.run(statements).await?;
        let head = self.head_on(&mut held.link).await?;
        held.keep();
        Ok(head)
    }

    pub(super) async fn fill_empty(
        &self,
        head: Head,
        records: Records,
    ) -> Result<bool, BackendError> {
        let mut held = self.writers.hold().await?;
        if self.begin(&mut held).await? != Revision::ZERO {
            held.link.run(&["ROLLBACK"]).await?;
            held.keep();
            return Ok(false);
        }
        let mut applying = Applying {
            link: &mut held.link,
            dialect: self.dialect,
            values: &self.values,
            bytes: self.statement_bytes,
            tag: 0,
        };
        applying.put_all(records).await?;
        let Head {
            revision,
            compacted,
            epoch,
        } = head;
        let counter = format!("UPDATE store_rev SET rv = {revision}, epoch = {epoch} WHERE id = 1");
        let marks =
            format!("UPDATE store_meta SET v = {compacted} WHERE k = 'compacted' OR k = 'trimmed'");
        held.link.run(&[&counter, &marks, "COMMIT"]).await?;
        held.keep();
        Ok(true)
    }

    pub(super) async fn raise_compacted(&self, through: Revision) -> Result<(), BackendError> {
        let mut held = self.writers.hold().await?;
        let raise =
            format!("UPDATE store_meta SET v = {through} WHERE k = 'compacted' AND v < {through}");
        held.link.run(&[&raise]).await?;
        held.keep();
        Ok(())
    }

    /// Deletes the next `limit` revisions of the log. The row that says how far that has come is locked first, so
    /// processes do it in turns; writers need neither that row nor that end of the log.
    pub(super) async fn delete_compacted(&self, limit: u64) -> Result<u64, BackendError> {
        let mut held = self.writers.hold().await?;
        let begin = self.dialect.begin_write()[0];
        let lock = "SELECT v FROM store_meta WHERE k = 'trimmed' FOR UPDATE";
        let trimmed = number(&held.link.run(&[begin, lock]).await?)?;
        let compacted = number(
            &held
                .link
                .run(&["SELECT v FROM store_meta WHERE k = 'compacted'"])
                .await?,
        )?;
        let (mut deleted, mut through) = (0, trimmed);
        while deleted < limit && through < compacted {
            let left = limit - deleted;
            let step = i64::try_from(left).unwrap_or(i64::MAX);
            let end = through.saturating_add(step).min(compacted);
            let gone = self.delete_between(&mut held, through, end).await?;
            (deleted, through) = (deleted + gone, end);
            if gone < left && through < compacted {
                // Some were not there: the numbers jumped.
                let oldest = held.link.run(&["SELECT MIN(rv) FROM store_log"]).await?;
                let oldest = oldest.first().map_or(Ok(None), |row| row.opt_int(0))?;
                through = oldest.map_or(compacted, |oldest| (oldest - 1).clamp(through, compacted));
            }
        }
        if trimmed < through {
            let done = format!("UPDATE store_meta SET v = {through} WHERE k = 'trimmed'");
            held.link.run(&[&done, "COMMIT"]).await?;
        } else {
            held.link.run(&["ROLLBACK"]).await?;
        }
        held.keep();
        Ok(deleted)
    }

    async fn delete_between(
        &self,
        held: &mut Held<'_>,
        after: i64,
        through: i64,
    ) -> Result<u64, BackendError> {
        let delete = super::statement::Statement::new("DELETE FROM store_log WHERE rv > ")
            .int(after)
            .sql(" AND rv <= ")
            .int(through);
        Ok(held.link.execute(&delete).await?)
    }

    /// A number that no other transaction of any process has.
    fn next_tag(&self) -> u64 {
        self.first_tag + self.tags.fetch_add(1, Ordering::Relaxed)
    }
}

/// The counter, from the row of [`Dialect::begin_write`].
fn counter(rows: &[Row]) -> Result<Revision, BackendError> {
    let row = rows
        .first()
        .ok_or_else(|| damaged("the counter row is missing"))?;
    revision(row.int(0)?)
}

fn number(rows: &[Row]) -> Result<i64, BackendError> {
    let row = rows
        .first()
        .ok_or_else(|| damaged("a number of the store is missing"))?;
    row.int(0)
}

/// Whether trying again may help.
fn passes(error: &BackendError) -> bool {
    matches!(
        error.problem(),
        Problem::Io | Problem::Busy | Problem::ReadOnly
    )
}

/// Whether an error in place of the answer to COMMIT says that the transaction is undone. PostgreSQL's word for
/// an aborted transaction is an ERROR; what is FATAL ends the session, before or after. MySQL's numbers for a
/// rolled-back transaction are few; every other leaves doubt.
fn is_certain(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else {
        return false;
    };
    if let Some(postgres) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return postgres.severity() == sqlx::postgres::PgSeverity::Error;
    }
    database
        .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
        .is_some_and(|mysql| matches!(mysql.number(), 1205 | 1213 | 1290 | 1792 | 1836))
}
