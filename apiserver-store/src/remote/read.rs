//! Reading. One statement sees one moment; what needs more than one gets a transaction of its own.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::{RemoteBackend, link::Link, statement::Statement};
use crate::{
    At, BackendError, Change, Head, Key, ListQuery, Page, PageLimit, Problem, Record, Revision,
    Snapshot,
    backend::{Cells, RowReader, count, damaged, merge, revision, to_sql},
};

/// How much of the objects is read at once while loading them all.
const LOAD_ROWS: usize = 512;
/// How many rows of the log to begin with: what they weigh says how many more fit.
const FIRST_ROWS: usize = 64;

const RECORD: &str = "SELECT resource, namespace, name, rv, create_rv, value FROM store_obj WHERE ";
const CHANGE: &str = "SELECT rv, resource, namespace, name, kind, create_rv, prev_rv, value, prev FROM store_log WHERE ";

/// Does `$work` on a kept connection, and once more on a new one if that one was lost meanwhile.
macro_rules! reading {
    ($backend:expr, $link:ident => $work:expr) => {
        loop {
            let mut held = $backend.readers.hold().await?;
            let $link = &mut held.link;
            let outcome: Result<_, BackendError> = async { $work }.await;
            match outcome {
                Ok(answer) => {
                    held.keep();
                    break Ok(answer);
                }
                Err(error) if held.reused && error.problem() == Problem::Io => {
                    $backend.readers.distrust();
                }
                Err(error) => break Err(error),
            }
        }
    };
}

impl RemoteBackend {
    pub(super) async fn read_head(&self) -> Result<Head, BackendError> {
        reading!(self, link => self.head_on(link).await)
    }

    /// The counter as it is on the server that takes writes: another one may be behind.
    pub(super) async fn head_on(&self, link: &mut Link) -> Result<Head, BackendError> {
        let rows = link.fetch(&Statement::new(self.dialect.head())).await?;
        let row = rows
            .first()
            .ok_or_else(|| damaged("the counter row is missing"))?;
        if !matches!(row.text(3)?, "OFF" | "0") {
            let what = "connected to a server that takes no writes";
            return Err(BackendError::new(Problem::ReadOnly, what));
        }
        Ok(Head {
            revision: revision(row.int(0)?)?,
            compacted: revision(row.int(1)?)?,
            epoch: revision(row.int(2)?)?.get(),
        })
    }

    /// The log first, then the head: whatever the head does not call compacted then was there before, too.
    pub(super) async fn read_log(
        &self,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<At<Arc<[Change]>>, BackendError> {
        reading!(self, link => {
            let changes = self.log_on(link, after, through, limit).await?;
            let head = self.head_on(link).await?;
            let value = changes.into();
            Ok(At { head, value })
        })
    }

    async fn log_on(
        &self,
        link: &mut Link,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<Vec<Change>, BackendError> {
        let mut reader = RowReader::new(self.values);
        let mut changes: Vec<Change> = Vec::new();
        let mut bytes = 0;
        loop {
            let wanted = rows_that_fit(changes.len(), bytes, limit);
            if wanted == 0 {
                return Ok(changes);
            }
            let cursor = changes.last().map_or(after, |change| change.revision);
            let query = Statement::new(CHANGE)
                .sql("rv > ")
                .int(to_sql(cursor))
                .sql(" AND rv <= ")
                .int(to_sql(through))
                .sql(" ORDER BY rv LIMIT ")
                .int(count(wanted));
            let rows = link.fetch(&query).await?;
            for row in &rows {
                let change = reader.change(row)?;
                bytes += change.weight();
                changes.push(change);
                if bytes >= limit.bytes {
                    return Ok(changes);
                }
            }
            if rows.len() < wanted {
                return Ok(changes);
            }
        }
    }

    pub(super) async fn read_list_at(
        &self,
        query: ListQuery<'_>,
    ) -> Result<At<Page>, BackendError> {
        let mut link = self.begin_snapshot().await?;
        let head = self.head_on(&mut link).await?;
        let mut reader = RowReader::new(self.values);
        let mut lists = [Vec::new(), Vec::new()];
        for (list, statement) in lists.iter_mut().zip([unchanged(query), replaced(query)]) {
            for row in link.fetch(&statement).await? {
                list.push(reader.record(&row)?);
            }
        }
        let [unchanged, replaced] = lists;
        let mut records = merge(unchanged, replaced);
        let more = records.len() > query.limit;
        records.truncate(query.limit);
        Ok(At {
            head,
            value: Page { records, more },
        })
    }

    pub(super) async fn read_all(&self) -> Result<Snapshot, BackendError> {
        let mut link = self.begin_snapshot().await?;
        let head = self.head_on(&mut link).await?;
        let loading = Loading {
            link,
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

    /// A connection of its own, in a transaction whose reads all see one moment. It ends with the connection.
    async fn begin_snapshot(&self) -> Result<Link, BackendError> {
        let mut link = self.readers.connect().await?;
        link.run(self.dialect.begin_snapshot()).await?;
        Ok(link)
    }

    /// Weighs a few entries and counts the rest: a scan could take longer than a statement may.
    pub(super) async fn weigh_log(&self) -> Result<u64, BackendError> {
        let weigh = Statement::new(self.dialect.weigh_entry());
        reading!(self, link => {
            let rows = link.fetch(&weigh).await?;
            let each = rows.first().map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
            let head = self.head_on(link).await?;
            let entries = head.revision.get().saturating_sub(head.compacted.get());
            Ok(each.saturating_mul(entries))
        })
    }
}

/// How many more rows to ask for, given what those so far weighed: as many as would fit if they were like them.
fn rows_that_fit(rows: usize, bytes: usize, limit: PageLimit) -> usize {
    let left = limit.entries.saturating_sub(rows);
    if rows == 0 {
        return left.min(FIRST_ROWS);
    }
    let each = (bytes / rows).max(1);
    left.min((limit.bytes.saturating_sub(bytes) / each).max(1))
}

/// A walk through all objects in key order, within one transaction.
struct Loading {
    link: Link,
    reader: RowReader,
    last: Option<Key>,
}

impl Loading {
    /// The next page: the rest of the last namespace, the rest of the last resource, then what follows. Three plain
    /// ranges, because not every optimizer finds the place where a tuple of columns is greater.
    async fn next_page(&mut self) -> Result<Vec<Record>, BackendError> {
        let mut page = Vec::new();
        for statement in next_ranges(self.last.as_ref()) {
            let wanted = LOAD_ROWS - page.len();
            if wanted == 0 {
                break;
            }
            let statement = statement
                .sql(" ORDER BY resource, namespace, name LIMIT ")
                .int(count(wanted));
            for row in self.link.fetch(&statement).await? {
                page.push(self.reader.record(&row)?);
            }
        }
        self.last = page.last().map(|record: &Record| record.key.clone());
        Ok(page)
    }
}

fn next_ranges(last: Option<&Key>) -> Vec<Statement> {
    let Some(last) = last else {
        return vec![Statement::new(RECORD).sql("resource >= ").text("")];
    };
    let in_resource = || {
        Statement::new(RECORD)
            .sql("resource = ")
            .text(&last.resource)
    };
    vec![
        in_resource()
            .sql(" AND namespace = ")
            .text(&last.namespace)
            .sql(" AND name > ")
            .text(&last.name),
        in_resource().sql(" AND namespace > ").text(&last.namespace),
        Statement::new(RECORD)
            .sql("resource > ")
            .text(&last.resource),
    ]
}

/// Records that are still what they were at `query.at`. One more than the limit, to see whether there are more.
fn unchanged(query: ListQuery<'_>) -> Statement {
    let statement = Statement::new(RECORD).sql("rv <= ").int(to_sql(query.at));
    narrowed(statement, query)
}

/// Records that were replaced or deleted since `query.at`: of each the one log entry that spans it.
fn replaced(query: ListQuery<'_>) -> Statement {
    let statement = Statement::new(
        "SELECT resource, namespace, name, prev_rv, create_rv, prev FROM store_log WHERE rv > ",
    )
    .int(to_sql(query.at))
    .sql(" AND prev_rv <= ")
    .int(to_sql(query.at));
    narrowed(statement, query)
}

fn narrowed(statement: Statement, query: ListQuery<'_>) -> Statement {
    let mut statement = statement.sql(" AND resource = ").text(query.resource);
    if let Some(namespace) = query.namespace {
        statement = statement.sql(" AND namespace = ").text(namespace);
    }
    if let Some((namespace, name)) = query.after {
        statement = statement
            .sql(" AND (namespace > ")
            .text(namespace)
            .sql(" OR (namespace = ")
            .text(namespace)
            .sql(" AND name > ")
            .text(name)
            .sql("))");
    }
    statement
        .sql(" ORDER BY namespace, name LIMIT ")
        .int(count(query.limit.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_until_they_weigh_enough() {
        let limit = PageLimit {
            entries: 500,
            bytes: 1000,
        };
        assert_eq!(rows_that_fit(0, 0, limit), 64);
        assert_eq!(rows_that_fit(64, 64, limit), 436);
        assert_eq!(rows_that_fit(64, 640, limit), 36);
        assert_eq!(rows_that_fit(64, 999, limit), 1);
        assert_eq!(rows_that_fit(500, 500, limit), 0);
    }
}
