//! Rows to records and changes, and back.

use std::sync::Arc;

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::error::damaged;
use crate::{
    BackendError, Change, ChangeKind, Head, Key, Previous, Record, Revision, backend::ValueCodec,
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

/// SQLite's integers are signed; the counter never gets near the end of either.
pub(super) fn to_sql(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

fn revision(stored: i64) -> Result<Revision, BackendError> {
    u64::try_from(stored)
        .map(Revision::new)
        .map_err(|_| damaged("a revision is negative"))
}

/// How [`Change::kind`] is stored.
pub(super) fn kind_to_sql(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Created => 1,
        ChangeKind::Updated => 2,
        ChangeKind::Deleted => 3,
    }
}

fn kind(stored: i64) -> Result<ChangeKind, BackendError> {
    match stored {
        1 => Ok(ChangeKind::Created),
        2 => Ok(ChangeKind::Updated),
        3 => Ok(ChangeKind::Deleted),
        other => Err(damaged(format!("{other} is no kind of change"))),
    }
}

/// Reads rows. Neighbours mostly share resource and namespace, and then share the text in memory too.
#[derive(Default)]
pub(super) struct RowReader {
    values: ValueCodec,
    resource: Option<Arc<str>>,
    namespace: Option<Arc<str>>,
}

impl RowReader {
    pub(super) fn new(values: ValueCodec) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// Columns: resource, namespace, name, rv, create_rv, value.
    pub(super) fn record(&mut self, row: &SqliteRow) -> Result<Record, BackendError> {
        let key = self.key(row, 0)?;
        Ok(Record {
            revision: revision(row.try_get(3)?)?,
            create_revision: revision(row.try_get(4)?)?,
            value: self.values.decode(&key, row.try_get(5)?)?,
            key,
        })
    }

    /// Columns: rv, resource, namespace, name, kind, create_rv, prev_rv, value, prev.
    pub(super) fn change(&mut self, row: &SqliteRow) -> Result<Change, BackendError> {
        let key = self.key(row, 1)?;
        let previous = match (row.try_get(6)?, row.try_get(8)?) {
            (Some(prev_rv), Some(prev)) => Some(Previous {
                revision: revision(prev_rv)?,
                value: self.values.decode(&key, prev)?,
            }),
            (None, None) => None,
            _ => return Err(damaged("a log entry has half a predecessor")),
        };
        Ok(Change {
            revision: revision(row.try_get(0)?)?,
            kind: kind(row.try_get(4)?)?,
            create_revision: revision(row.try_get(5)?)?,
            value: self.values.decode(&key, row.try_get(7)?)?,
            previous,
            key,
        })
    }

    fn key(&mut self, row: &SqliteRow, first: usize) -> Result<Key, BackendError> {
        Ok(Key {
            resource: shared(&mut self.resource, row.try_get(first)?),
            namespace: shared(&mut self.namespace, row.try_get(first + 1)?),
            name: row.try_get::<&str, _>(first + 2)?.into(),
        })
    }
}

/// The same text as last time is the same allocation.
fn shared(last: &mut Option<Arc<str>>, text: &str) -> Arc<str> {
    match last {
        Some(last) if **last == *text => last.clone(),
        _ => last.insert(text.into()).clone(),
    }
}
