//! Database servers: PostgreSQL, and the MySQL family (MySQL, MariaDB, OceanBase in MySQL mode).
//!
//! One schema and one set of statements, in a subset of SQL that all of them share; [`dialect`] has the few
//! that differ. Several processes may use one database at the same time: a write transaction locks the counter
//! row first and holds it until its end, so their writes are one sequence; what others committed is read from
//! the log. Nothing depends on the database's clock, on numbers that it makes up, or on which server of a
//! cluster answers, as long as it is the one that takes writes.
//!
//! A connection is used by one task at a time and thrown away after any error. A lost one in the middle of a
//! commit leaves doubt, which [`Backend::recover`] ends: it waits for the counter row, which the doubtful
//! transaction holds as long as it can still become either, and then asks the log for the transaction's number.

mod apply;
mod connect;
mod dialect;
mod keys;
mod link;
mod news;
mod open;
mod read;
mod schema;
mod statement;
mod write;

pub(crate) use connect::Server;
pub use open::{RemoteBackend, RemoteOpenError, RemoteOptions};

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use self::dialect::Dialect;
use crate::{
    At, Backend, BackendError, Batch, Change, Doubt, Head, ListQuery, Page, PageLimit, Records,
    Revision, Sharing, Snapshot, TransactError,
};

#[async_trait]
impl Backend for RemoteBackend {
    async fn head(&self) -> Result<Head, BackendError> {
        self.read_head().await
    }

    async fn transact(&self, batch: &mut Batch) -> Result<(), TransactError> {
        self.write_batch(batch).await
    }

    async fn recover(&self) -> Result<Head, BackendError> {
        self.write_barrier().await
    }

    async fn wrote(&self, doubt: Doubt<'_>) -> Result<Option<bool>, BackendError> {
        match doubt.tag {
            Some(tag) => self.find_tag(doubt.base, tag).await,
            None => Ok(None),
        }
    }

    fn sharing(&self) -> Option<Sharing> {
        Some(match self.dialect {
            // Notifications come at once; this is for those that do not.
            Dialect::Postgres => Sharing {
                soonest: Duration::from_millis(100),
                latest: Duration::from_secs(1),
            },
            Dialect::MySql => Sharing {
                soonest: Duration::from_millis(10),
                latest: Duration::from_millis(250),
            },
        })
    }

    async fn hint(&self) {
        match &self.news {
            Some(news) => news.next().await,
            None => std::future::pending().await,
        }
    }

    async fn jump(&self, told: Revision) -> Result<Head, BackendError> {
        self.leave_behind(told).await
    }

    async fn fill(&self, head: Head, records: Records) -> Result<bool, BackendError> {
        self.fill_empty(head, records).await
    }

    async fn load(&self) -> Result<Snapshot, BackendError> {
        self.read_all().await
    }

    async fn log(
        &self,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<At<Arc<[Change]>>, BackendError> {
        self.read_log(after, through, limit).await
    }

    async fn list_at(&self, query: ListQuery<'_>) -> Result<At<Page>, BackendError> {
        self.read_list_at(query).await
    }

    async fn log_bytes(&self) -> Result<u64, BackendError> {
        self.weigh_log().await
    }

    async fn mark_compacted(&self, through: Revision) -> Result<(), BackendError> {
        self.raise_compacted(through).await
    }

    async fn trim(&self, limit: u64) -> Result<u64, BackendError> {
        self.delete_compacted(limit).await
    }

    /// The servers tidy up by themselves: autovacuum, purge.
    async fn upkeep(&self, _idle: bool) -> Result<(), BackendError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), BackendError> {
        self.shut().await;
        Ok(())
    }
}
