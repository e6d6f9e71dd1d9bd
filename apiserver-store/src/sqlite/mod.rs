//! The embedded backend: one SQLite file in a data directory of its own.
//!
//! WAL journal, `synchronous=FULL` (a commit that was acknowledged survives a power cut), exactly one write
//! connection, a small pool of readers. The connections run on threads of their own, so nothing blocks the
//! runtime. Keys are stored as text in each row, not as numbers of a names table: the rows then sort bytewise
//! as [`Key`](crate::Key) does, and thirty bytes per row weigh little beside the values.

mod apply;
mod error;
mod lock;
mod open;
mod read;
mod rows;
mod schema;
mod upkeep;
mod write;

pub use open::{SqliteBackend, SqliteOpenError, SqliteOptions};

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    At, Backend, BackendError, Batch, Change, Head, ListQuery, Page, PageLimit, Records, Revision,
    Snapshot, TransactError,
};

#[async_trait]
impl Backend for SqliteBackend {
    async fn head(&self) -> Result<Head, BackendError> {
        self.read_head().await
    }

    async fn transact(&self, batch: &mut Batch) -> Result<(), TransactError> {
        self.write_batch(batch).await
    }

    async fn recover(&self) -> Result<Head, BackendError> {
        self.write_barrier().await
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

    async fn upkeep(&self, idle: bool) -> Result<(), BackendError> {
        self.tidy(idle).await
    }

    async fn close(&self) -> Result<(), BackendError> {
        self.shut().await
    }
}
