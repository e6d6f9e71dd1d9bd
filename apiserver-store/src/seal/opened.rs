//! A backend as its readers see it: with its values opened.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};

use super::Seals;
use crate::{
    At, Backend, BackendError, Batch, Change, Doubt, Head, ListQuery, Page, PageLimit, Records,
    Revision, Sharing, Snapshot, TransactError,
};

/// Opens what is read. Writing passes through unchanged: what a [`Batch`] holds is sealed already, and what the backend decides by
/// (revisions) is not. Every method of the inner backend is passed on, also those that have a default.
pub(crate) struct Opened {
    inner: Arc<dyn Backend>,
    seals: Seals,
}

impl Opened {
    pub(crate) fn new(inner: Arc<dyn Backend>, seals: Seals) -> Self {
        Self { inner, seals }
    }
}

#[async_trait]
impl Backend for Opened {
    async fn head(&self) -> Result<Head, BackendError> {
        self.inner.head().await
    }

    async fn transact(&self, batch: &mut Batch) -> Result<(), TransactError> {
        self.inner.transact(batch).await
    }

    async fn recover(&self) -> Result<Head, BackendError> {
        self.inner.recover().await
    }

    async fn wrote(&self, doubt: Doubt<'_>) -> Result<Option<bool>, BackendError> {
        self.inner.wrote(doubt).await
    }

    fn sharing(&self) -> Option<Sharing> {
        self.inner.sharing()
    }

    async fn hint(&self) {
        self.inner.hint().await;
    }

    async fn jump(&self, told: Revision) -> Result<Head, BackendError> {
        self.inner.jump(told).await
    }

    async fn fill(&self, head: Head, records: Records) -> Result<bool, BackendError> {
        self.inner.fill(head, records).await
    }

    async fn load(&self) -> Result<Snapshot, BackendError> {
        let snapshot = self.inner.load().await?;
        let revision = snapshot.revision;
        let seals = self.seals.clone();
        let records = stream::unfold((snapshot, seals), |(mut snapshot, seals)| async {
            let opened = match snapshot.next().await? {
                Ok(record) => seals.open_record(record).await.map_err(BackendError::from),
                Err(error) => Err(error),
            };
            Some((opened, (snapshot, seals)))
        });
        Ok(Snapshot::new(revision, records))
    }

    async fn log(
        &self,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<At<Arc<[Change]>>, BackendError> {
        let At { head, value } = self.inner.log(after, through, limit).await?;
        let changes: Vec<Change> = stream::iter(value.iter().cloned())
            .then(|change| self.seals.open_change(change))
            .try_collect()
            .await?;
        Ok(At {
            head,
            value: changes.into(),
        })
    }

    async fn list_at(&self, query: ListQuery<'_>) -> Result<At<Page>, BackendError> {
        let At { head, value } = self.inner.list_at(query).await?;
        let records = stream::iter(value.records)
            .then(|record| self.seals.open_record(record))
            .try_collect()
            .await?;
        let page = Page {
            records,
            more: value.more,
        };
        Ok(At { head, value: page })
    }

    async fn log_bytes(&self) -> Result<u64, BackendError> {
        self.inner.log_bytes().await
    }

    async fn mark_compacted(&self, through: Revision) -> Result<(), BackendError> {
        self.inner.mark_compacted(through).await
    }

    async fn trim(&self, limit: u64) -> Result<u64, BackendError> {
        self.inner.trim(limit).await
    }

    async fn upkeep(&self, idle: bool) -> Result<(), BackendError> {
        self.inner.upkeep(idle).await
    }

    async fn close(&self) -> Result<(), BackendError> {
        self.inner.close().await
    }
}
