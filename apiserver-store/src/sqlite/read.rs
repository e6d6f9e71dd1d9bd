//! Reading: consistent views over a reader's transaction.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};

use super::{SqliteBackend, rows};
use crate::{
    At, BackendError, Change, Head, Key, ListQuery, Page, PageLimit, Record, Revision, Snapshot,
    backend::{RowReader, ValueCodec, count, merge, to_sql},
};

/// How much of the objects is read at once while loading them all.
const LOAD_PAGE: PageLimit = PageLimit {
    entries: 512,
    bytes: 4 << 20,
};

impl SqliteBackend {
    pub(super) async fn read_head(&self) -> Result<Head, BackendError> {
        let mut connection = self.readers.acquire().await?;
        rows::head(&mut connection).await
    }

    pub(super) async fn read_all(&self) -> Result<Snapshot, BackendError> {
        let mut tx = self.readers.begin().await?;
        let head = rows::head(&mut tx).await?;
        let loading = Loading {
            tx,
            reader: RowReader::new(self.values),
            last: None,
        };
        let pages = stream::try_unfold(loading, |mut loading| async {
            let page = loading.next_page().await?;
            Ok::<_, BackendError>((!page.is_empty()).then_some((page, loading)))
        });
        let records = pages
            .map_ok(|page| stream::iter(page).map(Ok))
            .try_flatten();
        Ok(Snapshot::new(head.revision, records))
    }

    pub(super) async fn read_log(
        &self,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<At<Arc<[Change]>>, BackendError> {
        let mut tx = self.readers.begin().await?;
        let head = rows::head(&mut tx).await?;
        let mut reader = RowReader::new(self.values);
        let mut changes = Vec::new();
        let mut bytes = 0;
        {
            let mut found = sqlx::query(
                "SELECT rv, resource, namespace, name, kind, create_rv, prev_rv, value, prev
                 FROM log WHERE rv > ? AND rv <= ? ORDER BY rv LIMIT ?",
            )
            .bind(to_sql(after))
            .bind(to_sql(through))
            .bind(count(limit.entries))
            .fetch(&mut *tx);
            while let Some(row) = found.try_next().await? {
                let change = reader.change(&row)?;
                bytes += change.weight();
                changes.push(change);
                if bytes >= limit.bytes {
                    break;
                }
            }
        }
        tx.rollback().await?;
        Ok(At {
            head,
            value: changes.into(),
        })
    }

    pub(super) async fn read_list_at(
        &self,
        query: ListQuery<'_>,
    ) -> Result<At<Page>, BackendError> {
        let mut tx = self.readers.begin().await?;
        let head = rows::head(&mut tx).await?;
        let unchanged = list_unchanged(&mut tx, query, self.values).await?;
        let replaced = list_replaced(&mut tx, query, self.values).await?;
        tx.rollback().await?;
        let mut records = merge(unchanged, replaced);
        let more = records.len() > query.limit;
        records.truncate(query.limit);
        Ok(At {
            head,
            value: Page { records, more },
        })
    }

    pub(super) async fn weigh_log(&self) -> Result<u64, BackendError> {
        let mut connection = self.readers.acquire().await?;
        let row = sqlx::query(
            "SELECT coalesce(sum(length(value)), 0) + coalesce(sum(length(prev)), 0) FROM log",
        )
        .fetch_one(&mut *connection)
        .await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0))
    }
}

/// A walk through all objects in key order, within one read transaction.
struct Loading {
    tx: Transaction<'static, Sqlite>,
    reader: RowReader,
    last: Option<Key>,
}

impl Loading {
    async fn next_page(&mut self) -> Result<Vec<Record>, BackendError> {
        let Self { tx, reader, last } = self;
        let (resource, namespace, name) = last.as_ref().map_or(("", "", ""), |key| {
            (&*key.resource, &*key.namespace, &*key.name)
        });
        let mut page = Vec::new();
        let mut bytes = 0;
        let mut found = sqlx::query(
            "SELECT resource, namespace, name, rv, create_rv, value FROM obj
             WHERE (resource, namespace, name) > (?, ?, ?)
             ORDER BY resource, namespace, name LIMIT ?",
        )
        .bind(resource)
        .bind(namespace)
        .bind(name)
        .bind(count(LOAD_PAGE.entries))
        .fetch(&mut **tx);
        while let Some(row) = found.try_next().await? {
            let record = reader.record(&row)?;
            bytes += record.value.len();
            page.push(record);
            if bytes >= LOAD_PAGE.bytes {
                break;
            }
        }
        drop(found);
        *last = page.last().map(|record| record.key.clone());
        Ok(page)
    }
}

/// Records that are still what they were at `query.at`. One more than the limit, to see whether there are more.
async fn list_unchanged(
    tx: &mut SqliteConnection,
    query: ListQuery<'_>,
    values: ValueCodec,
) -> Result<Vec<Record>, BackendError> {
    let sql = match query.namespace {
        Some(_) => {
            "SELECT resource, namespace, name, rv, create_rv, value FROM obj
             WHERE resource = ? AND namespace = ? AND (namespace, name) > (?, ?) AND rv <= ?
             ORDER BY namespace, name LIMIT ?"
        }
        None => {
            "SELECT resource, namespace, name, rv, create_rv, value FROM obj
             WHERE resource = ? AND (namespace, name) > (?, ?) AND rv <= ?
             ORDER BY namespace, name LIMIT ?"
        }
    };
    list(tx, sql, query, &[to_sql(query.at)], values).await
}

/// Records that were replaced or deleted since `query.at`: of each the one log entry that spans it.
async fn list_replaced(
    tx: &mut SqliteConnection,
    query: ListQuery<'_>,
    values: ValueCodec,
) -> Result<Vec<Record>, BackendError> {
    let sql = match query.namespace {
        Some(_) => {
            "SELECT resource, namespace, name, prev_rv, create_rv, prev FROM log
             WHERE resource = ? AND namespace = ? AND (namespace, name) > (?, ?)
             AND rv > ? AND prev_rv <= ? ORDER BY namespace, name LIMIT ?"
        }
        None => {
            "SELECT resource, namespace, name, prev_rv, create_rv, prev FROM log
             WHERE resource = ? AND (namespace, name) > (?, ?)
             AND rv > ? AND prev_rv <= ? ORDER BY namespace, name LIMIT ?"
        }
    };
    list(
        tx,
        sql,
        query,
        &[to_sql(query.at), to_sql(query.at)],
        values,
    )
    .await
}

async fn list(
    tx: &mut SqliteConnection,
    sql: &'static str,
    query: ListQuery<'_>,
    revisions: &[i64],
    values: ValueCodec,
) -> Result<Vec<Record>, BackendError> {
    let (after_namespace, after_name) = query.after.unwrap_or_default();
    let mut statement = sqlx::query(sql).bind(query.resource.to_owned());
    if let Some(namespace) = query.namespace {
        statement = statement.bind(namespace.to_owned());
    }
    statement = statement
        .bind(after_namespace.to_owned())
        .bind(after_name.to_owned());
    for revision in revisions {
        statement = statement.bind(*revision);
    }
    let mut reader = RowReader::new(values);
    statement
        .bind(count(query.limit.saturating_add(1)))
        .fetch(tx)
        .map(|row| reader.record(&row?))
        .try_collect()
        .await
}
