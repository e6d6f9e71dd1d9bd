//! What a batch becomes in SQL: a handful of statements, however many mutations it has.
//!
//! A statement costs a trip to the connection's thread, so rows go together, up to [`ROWS`] in one statement.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, query_builder::Separated};

use super::rows;
use crate::{
    BackendError, Batch, Change, ChangeKind, Key, Record,
    backend::{RowReader, ValueCodec, kind_to_sql, to_sql},
};

/// Rows per statement. Each number of rows up to this is a statement of its own in the connection's cache,
/// which holds a hundred.
const ROWS: usize = 16;

/// Plans and writes a batch; false if there was nothing to write.
pub(super) async fn apply_batch(
    tx: &mut SqliteConnection,
    batch: &mut Batch,
    values: ValueCodec,
) -> Result<bool, BackendError> {
    let head = rows::head(&mut *tx).await?;
    let current = current_records(tx, batch, values).await?;
    let changes = batch.plan(head.revision, current);
    let Some(last) = changes.last() else {
        return Ok(false);
    };
    append_to_log(tx, &changes, values).await?;
    // Of several changes of one object only the last one's outcome stays.
    let outcomes: BTreeMap<&Key, &Change> =
        changes.iter().map(|change| (&change.key, change)).collect();
    let (gone, kept): (Vec<&Change>, Vec<&Change>) = outcomes
        .into_values()
        .partition(|change| change.kind == ChangeKind::Deleted);
    put_objects(tx, &kept, values).await?;
    delete_objects(tx, &gone).await?;
    sqlx::query("UPDATE rev SET rv = ? WHERE id = 1")
        .bind(to_sql(last.revision))
        .execute(tx)
        .await?;
    Ok(true)
}

async fn current_records(
    tx: &mut SqliteConnection,
    batch: &Batch,
    values: ValueCodec,
) -> Result<Vec<Record>, BackendError> {
    let mut reader = RowReader::new(values);
    let mut records = Vec::new();
    let keys: Vec<&Key> = batch.keys().into_iter().collect();
    for keys in keys.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new("WITH wanted (r, ns, n) AS (");
        query.push_values(keys, |mut row, key| push_key(&mut row, key));
        // SQLite takes the tables of a CROSS JOIN in this order: one search of the key index per wanted row.
        query.push(
            ") SELECT resource, namespace, name, rv, create_rv, value FROM wanted CROSS JOIN obj
             ON resource = r AND namespace = ns AND name = n",
        );
        for row in query.build().fetch_all(&mut *tx).await? {
            records.push(reader.record(&row)?);
        }
    }
    Ok(records)
}

async fn append_to_log(
    tx: &mut SqliteConnection,
    changes: &[Change],
    values: ValueCodec,
) -> Result<(), BackendError> {
    for changes in changes.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO log (resource, namespace, name, rv, kind, create_rv, prev_rv, value, prev) ",
        );
        query.push_values(changes, |mut row, change| {
            let Change { key, previous, .. } = change;
            push_key(&mut row, key);
            row.push_bind(to_sql(change.revision))
                .push_bind(kind_to_sql(change.kind))
                .push_bind(to_sql(change.create_revision))
                .push_bind(previous.as_ref().map(|previous| to_sql(previous.revision)))
                .push_bind(values.encode(key, &change.value))
                .push_bind(
                    previous
                        .as_ref()
                        .map(|previous| values.encode(key, &previous.value)),
                );
        });
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

async fn put_objects(
    tx: &mut SqliteConnection,
    changes: &[&Change],
    values: ValueCodec,
) -> Result<(), BackendError> {
    for changes in changes.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO obj (resource, namespace, name, rv, create_rv, value) ",
        );
        query.push_values(changes, |mut row, change| {
            push_key(&mut row, &change.key);
            row.push_bind(to_sql(change.revision))
                .push_bind(to_sql(change.create_revision))
                .push_bind(values.encode(&change.key, &change.value));
        });
        query.push(
            " ON CONFLICT (resource, namespace, name) DO UPDATE
             SET rv = excluded.rv, create_rv = excluded.create_rv, value = excluded.value",
        );
        query.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// One by one: deletions seldom come in crowds.
async fn delete_objects(
    tx: &mut SqliteConnection,
    changes: &[&Change],
) -> Result<(), BackendError> {
    for change in changes {
        sqlx::query("DELETE FROM obj WHERE resource = ? AND namespace = ? AND name = ?")
            .bind(&*change.key.resource)
            .bind(&*change.key.namespace)
            .bind(&*change.key.name)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

fn push_key(row: &mut Separated<'_, Sqlite, &'static str>, key: &Key) {
    row.push_bind(key.resource.to_string())
        .push_bind(key.namespace.to_string())
        .push_bind(key.name.to_string());
}
