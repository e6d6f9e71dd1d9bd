//! What a batch becomes in SQL: a handful of statements, however many mutations it has.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{
    dialect::Dialect,
    keys,
    link::Link,
    statement::{Statement, Value},
};
use crate::{
    BackendError, Batch, Change, ChangeKind, Key, Record, Records, Revision,
    backend::{RowReader, ValueCodec, kind_to_sql, to_sql},
};

/// Rows per statement: a whole batch, by default.
const ROWS: usize = 64;

/// What the statements of one transaction have in common.
pub(super) struct Applying<'a> {
    pub(super) link: &'a mut Link,
    pub(super) dialect: Dialect,
    pub(super) values: &'a ValueCodec,
    /// No statement carries more bytes of values, unless a single row does.
    pub(super) bytes: usize,
    /// Marks the transaction in the log.
    pub(super) tag: i64,
}

impl Applying<'_> {
    /// Plans and writes a batch on the counter's value; returns its new one, if anything was written.
    pub(super) async fn apply(
        &mut self,
        batch: &mut Batch,
        base: Revision,
    ) -> Result<Option<Revision>, BackendError> {
        let current = self.current_records(batch).await?;
        let changes = batch.plan(base, current);
        let Some(last) = changes.last() else {
            return Ok(None);
        };
        self.append_to_log(&changes).await?;
        // Of several changes of one object only the last one's outcome stays.
        let outcomes: BTreeMap<&Key, &Change> =
            changes.iter().map(|change| (&change.key, change)).collect();
        let (gone, kept): (Vec<&Change>, Vec<&Change>) = outcomes
            .into_values()
            .partition(|change| change.kind == ChangeKind::Deleted);
        self.put_objects(&kept).await?;
        self.delete_objects(&gone).await?;
        Ok(Some(last.revision))
    }

    async fn current_records(&mut self, batch: &Batch) -> Result<Vec<Record>, BackendError> {
        let mut reader = RowReader::new(*self.values);
        let mut records = Vec::new();
        let keys: Vec<&Key> = batch.keys().into_iter().collect();
        for keys in keys.chunks(ROWS) {
            let query = keys::select(self.dialect, keys.iter().copied());
            for row in self.link.fetch(&query).await? {
                records.push(reader.record(&row)?);
            }
        }
        Ok(records)
    }

    async fn append_to_log(&mut self, changes: &[Change]) -> Result<(), BackendError> {
        const INSERT: &str = "INSERT INTO store_log (rv, batch, kind, create_rv, prev_rv,
            resource, namespace, name, value, prev) VALUES ";
        let mut rows = Rows::new(INSERT, "", self.bytes);
        for change in changes {
            let Change { key, previous, .. } = change;
            let value = self.values.encode(key, &change.value);
            let prev_rv = previous.as_ref().map(|previous| to_sql(previous.revision));
            let prev = previous
                .as_ref()
                .map(|previous| self.values.encode(key, &previous.value));
            let weight = value.len() + prev.as_ref().map_or(0, Vec::len);
            let row = [
                Value::Int(Some(to_sql(change.revision))),
                Value::Int(Some(self.tag)),
                Value::Int(Some(kind_to_sql(change.kind))),
                Value::Int(Some(to_sql(change.create_revision))),
                Value::Int(prev_rv),
                Value::Text(key.resource.to_string()),
                Value::Text(key.namespace.to_string()),
                Value::Text(key.name.to_string()),
                Value::Blob(Some(value)),
                Value::Blob(prev),
            ];
            rows.add(self.link, row, weight).await?;
        }
        rows.flush(self.link).await
    }

    async fn put_objects(&mut self, changes: &[&Change]) -> Result<(), BackendError> {
        let records: Vec<Record> = changes
            .iter()
            .filter_map(|change| change.record())
            .collect();
        self.put_all(stream::iter(records.into_iter().map(Ok)).boxed())
            .await
    }

    /// Writes objects as they are, over what is there, as they come.
    pub(super) async fn put_all(&mut self, mut records: Records) -> Result<(), BackendError> {
        const INSERT: &str =
            "INSERT INTO store_obj (resource, namespace, name, rv, create_rv, value) VALUES ";
        let mut rows = Rows::new(INSERT, self.dialect.or_replace(), self.bytes);
        while let Some(record) = records.next().await {
            let record = record?;
            let value = self.values.encode(&record.key, &record.value);
            let weight = value.len();
            let row = [
                Value::Text(record.key.resource.to_string()),
                Value::Text(record.key.namespace.to_string()),
                Value::Text(record.key.name.to_string()),
                Value::Int(Some(to_sql(record.revision))),
                Value::Int(Some(to_sql(record.create_revision))),
                Value::Blob(Some(value)),
            ];
            rows.add(self.link, row, weight).await?;
        }
        rows.flush(self.link).await
    }

    async fn delete_objects(&mut self, changes: &[&Change]) -> Result<(), BackendError> {
        for changes in changes.chunks(ROWS) {
            let keys = changes.iter().map(|change| &change.key);
            let statement = keys::delete(self.dialect, keys);
            self.link.execute(&statement).await?;
        }
        Ok(())
    }
}

/// Rows on their way into a table, as many in one statement as fit.
pub(super) struct Rows {
    head: &'static str,
    tail: &'static str,
    bytes: usize,
    statement: Statement,
    rows: usize,
    weight: usize,
}

impl Rows {
    pub(super) fn new(head: &'static str, tail: &'static str, bytes: usize) -> Self {
        Self {
            head,
            tail,
            bytes,
            statement: Statement::new(head),
            rows: 0,
            weight: 0,
        }
    }

    pub(super) async fn add(
        &mut self,
        link: &mut Link,
        row: impl IntoIterator<Item = Value>,
        weight: usize,
    ) -> Result<(), BackendError> {
        if self.rows == ROWS || (self.rows > 0 && self.weight + weight > self.bytes) {
            self.flush(link).await?;
        }
        self.statement.push_row(self.rows == 0, row);
        self.rows += 1;
        self.weight += weight;
        Ok(())
    }

    pub(super) async fn flush(&mut self, link: &mut Link) -> Result<(), BackendError> {
        if self.rows > 0 {
            let statement = std::mem::replace(&mut self.statement, Statement::new(self.head));
            (self.rows, self.weight) = (0, 0);
            link.execute(&statement.sql(self.tail)).await?;
        }
        Ok(())
    }
}
