//! Giving space back: free pages to the file system, the WAL to nothing.

use std::path::Path;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::SqliteBackend;
use crate::BackendError;

/// Pages given back per step: a few milliseconds of a writer's time.
const VACUUM_STEP: i64 = 256;
/// Free pages that are left for the next writes: one mebibyte.
const RESERVE: i64 = 256;
/// Less than this is not worth a checkpoint, in bytes.
const SMALL: u64 = 1 << 20;

impl SqliteBackend {
    pub(super) async fn tidy(&self, idle: bool) -> Result<(), BackendError> {
        while self.vacuum_step(idle).await? {
            tokio::task::yield_now().await;
        }
        if idle && self.excess_bytes().await? > SMALL {
            self.empty_wal().await?;
        }
        Ok(())
    }

    /// Gives some free pages back; false when enough are. While writers are busy they use up free pages
    /// themselves, so half of the file may be free then.
    async fn vacuum_step(&self, idle: bool) -> Result<bool, BackendError> {
        let mut held = self.hold_writer().await?;
        let connection = held.connection();
        let free = number(connection, "PRAGMA freelist_count").await?;
        let total = number(connection, "PRAGMA page_count").await?;
        let reserve = if idle {
            RESERVE
        } else {
            RESERVE.max(total / 2)
        };
        let pages = (free - reserve).clamp(0, VACUUM_STEP);
        if pages > 0 {
            // It yields a row per page, and works only as long as they are fetched.
            let sql = AssertSqlSafe(format!("PRAGMA incremental_vacuum({pages})"));
            sqlx::query(sql).fetch_all(held.connection()).await?;
        }
        held.keep();
        Ok(pages > 0)
    }

    /// What the files hold beyond the database itself: the WAL, and pages already given up, which the file
    /// keeps until the next checkpoint.
    async fn excess_bytes(&self) -> Result<u64, BackendError> {
        let mut wal = self.file.clone().into_os_string();
        wal.push("-wal");
        let length = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
        let mut held = self.hold_writer().await?;
        let pages = number(held.connection(), "PRAGMA page_count").await?;
        let page_size = number(held.connection(), "PRAGMA page_size").await?;
        held.keep();
        let needed = u64::try_from(pages.saturating_mul(page_size)).unwrap_or(0);
        Ok(length(&self.file).saturating_sub(needed) + length(Path::new(&wal)))
    }

    /// Moves the WAL into the database and cuts it to nothing. Does not wait for readers: there is a next time.
    async fn empty_wal(&self) -> Result<(), BackendError> {
        let mut held = self.hold_writer().await?;
        let connection = held.connection();
        let patience = number(connection, "PRAGMA busy_timeout").await?;
        sqlx::query("PRAGMA busy_timeout = 0")
            .execute(&mut *connection)
            .await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_all(&mut *connection)
            .await?;
        let sql = AssertSqlSafe(format!("PRAGMA busy_timeout = {patience}"));
        sqlx::query(sql).execute(&mut *connection).await?;
        held.keep();
        Ok(())
    }
}

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, BackendError> {
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}
