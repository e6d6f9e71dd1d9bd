//! Rows of any SQL database to records and changes.

use std::sync::Arc;

use super::{ValueCodec, damaged};
use crate::{BackendError, Change, ChangeKind, Key, Previous, Record, Revision};

/// A row of an answer; columns are numbered from 0.
pub(crate) trait Cells {
    fn int(&self, column: usize) -> Result<i64, BackendError>;
    fn opt_int(&self, column: usize) -> Result<Option<i64>, BackendError>;
    fn text(&self, column: usize) -> Result<&str, BackendError>;
    fn blob(&self, column: usize) -> Result<Vec<u8>, BackendError>;
    fn opt_blob(&self, column: usize) -> Result<Option<Vec<u8>>, BackendError>;
}

/// SQL's integers are signed; the counter never gets near the end of either.
pub(crate) fn to_sql(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}

/// A number of rows for SQL.
pub(crate) fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) fn revision(stored: i64) -> Result<Revision, BackendError> {
    u64::try_from(stored)
        .map(Revision::new)
        .map_err(|_| damaged("a revision is negative"))
}

/// How [`Change::kind`] is stored.
pub(crate) fn kind_to_sql(kind: ChangeKind) -> i64 {
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
pub(crate) struct RowReader {
    values: ValueCodec,
    resource: Option<Arc<str>>,
    namespace: Option<Arc<str>>,
}

impl RowReader {
    pub(crate) fn new(values: ValueCodec) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// Columns: resource, namespace, name, rv, create_rv, value.
    pub(crate) fn record(&mut self, row: &impl Cells) -> Result<Record, BackendError> {
        let key = self.key(row, 0)?;
        Ok(Record {
            revision: revision(row.int(3)?)?,
            create_revision: revision(row.int(4)?)?,
            value: self.values.decode(&key, row.blob(5)?)?,
            key,
        })
    }

    /// Columns: rv, resource, namespace, name, kind, create_rv, prev_rv, value, prev.
    pub(crate) fn change(&mut self, row: &impl Cells) -> Result<Change, BackendError> {
        let key = self.key(row, 1)?;
        let previous = match (row.opt_int(6)?, row.opt_blob(8)?) {
            (Some(prev_rv), Some(prev)) => Some(Previous {
                revision: revision(prev_rv)?,
                value: self.values.decode(&key, prev)?,
            }),
            (None, None) => None,
            _ => return Err(damaged("a log entry has half a predecessor")),
        };
        Ok(Change {
            revision: revision(row.int(0)?)?,
            kind: kind(row.int(4)?)?,
            create_revision: revision(row.int(5)?)?,
            value: self.values.decode(&key, row.blob(7)?)?,
            previous,
            key,
        })
    }

    pub(crate) fn key(&mut self, row: &impl Cells, first: usize) -> Result<Key, BackendError> {
        Ok(Key {
            resource: shared(&mut self.resource, row.text(first)?),
            namespace: shared(&mut self.namespace, row.text(first + 1)?),
            name: row.text(first + 2)?.into(),
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

/// Two lists in key order, without a key in common, as one.
pub(crate) fn merge(left: Vec<Record>, right: Vec<Record>) -> Vec<Record> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if b.key < a.key => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        };
        match next {
            Some(record) => merged.push(record),
            None => return merged,
        }
    }
}
