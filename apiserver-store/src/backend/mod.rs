//! Where the store's data lives: the [`Backend`] trait and what it speaks.
//!
//! A backend is small on purpose. It keeps a counter row, the current objects and the log, and can run one
//! write transaction, read consistent views, and forget old log entries. Every decision (who wins a compare
//! and swap, which revision a change gets, what is too old to read) is made by code shared by all backends:
//! [`Batch`] inside the transaction, [`Store`](crate::Store) around it.

mod batch;
mod error;
mod memory;
mod rows;
mod sql_error;
mod value;

pub use batch::{Batch, Conflict};
pub(crate) use batch::{Plan, Verdict};
pub(crate) use error::damaged;
pub use error::{BackendError, Problem, TransactError};
pub use memory::MemoryBackend;
pub(crate) use rows::{Cells, RowReader, count, kind_to_sql, merge, revision, to_sql};
pub(crate) use value::ValueCodec;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};

use crate::{Change, Page, Record, Revision};

/// The counter row: where a backend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The highest revision that is committed.
    pub revision: Revision,
    /// The highest revision whose log entry may be gone. What came after it can be read back; the state at it
    /// is the oldest that can.
    pub compacted: Revision,
    /// Rises when a backup is restored, so that revisions of the lost time are never used again.
    pub epoch: u64,
}

/// An answer together with the head of the same consistent view.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The head as that view saw it.
    pub head: Head,
    /// The answer.
    pub value: T,
}

/// How much of something to read at once. A page ends when either limit is reached, and holds at least one
/// entry if there is any.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// At most so many entries.
    pub entries: usize,
    /// No further entry once the values so far sum up to this.
    pub bytes: usize,
}

/// A transaction of which it is not known whether it was committed.
#[derive(Clone, Copy, Debug)]
pub struct Doubt<'a> {
    /// The counter that it was planned on.
    pub base: Revision,
    /// What it was to write; never empty.
    pub changes: &'a [Change],
    /// Its [`Batch::set_tag`].
    pub tag: Option<u64>,
}

/// How a process learns of what others commit on the same database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// How soon to look again after there was something new.
    pub soonest: Duration,
    /// How long to wait at most before looking again, after there was nothing for long.
    pub latest: Duration,
}

/// How far the counter is raised when numbers that were given out may have been lost: farther than any hub writes
/// between a backup and its restore.
pub(crate) const JUMP: u64 = 1 << 32;

/// Which records to list at an old revision.
#[derive(Clone, Copy, Debug)]
pub struct ListQuery<'a> {
    /// The resource, as in [`Key::resource`](crate::Key::resource).
    pub resource: &'a str,
    /// One namespace, or all of them.
    pub namespace: Option<&'a str>,
    /// Only records after this namespace and name.
    pub after: Option<(&'a str, &'a str)>,
    /// At most so many records.
    pub limit: usize,
    /// The revision to show.
    pub at: Revision,
}

/// Records as they come, until the end or an error.
pub type Records = BoxStream<'static, Result<Record, BackendError>>;

/// All current records, consistent with each other and with the revision.
pub struct Snapshot {
    /// The revision that the records show.
    pub revision: Revision,
    records: Records,
}

impl Snapshot {
    /// A snapshot of `revision` from a stream in key order.
    pub fn new(
        revision: Revision,
        records: impl futures::Stream<Item = Result<Record, BackendError>> + Send + 'static,
    ) -> Self {
        Self {
            revision,
            records: records.boxed(),
        }
    }

    /// The next record in key order; `None` after the last. After an error, start again with a new snapshot.
    ///
    /// An unfinished snapshot may hold a read transaction open in the backend: read it to its end without
    /// delay, or drop it.
    pub async fn next(&mut self) -> Option<Result<Record, BackendError>> {
        self.records.next().await
    }

    /// Reads all that is left.
    ///
    /// # Errors
    /// The first error of the stream.
    pub async fn collect(mut self) -> Result<Vec<Record>, BackendError> {
        let mut records = Vec::new();
        while let Some(record) = self.next().await {
            records.push(record?);
        }
        Ok(records)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// A place that can hold a store's data. Implemented per database; used only through [`Store`](crate::Store).
///
/// All methods may be called at the same time; a backend orders writes by itself. Every method's future may
/// be dropped at any point: then its transaction happens wholly or not at all. Errors are for trouble with
/// the database; being too old or in the future is judged by the store from the [`Head`] that reads return.
///
/// Values are opaque, and may be sealed. A wrapper passes on every method, also those that have a default.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Reads the counter row.
    async fn head(&self) -> Result<Head, BackendError>;

    /// Runs one write transaction, in this order: lock the counter row, before anything else is read; read the
    /// current records of [`Batch::keys`]; call [`Batch::plan`]; if it returned changes, apply
    /// them to the current objects, append them to the log, and set the counter to the last one's revision;
    /// commit durably. Without changes nothing is written.
    ///
    /// # Errors
    /// [`TransactError::Failed`] only if it is certain that nothing was and will be committed; otherwise
    /// [`TransactError::Unknown`].
    async fn transact(&self, batch: &mut Batch) -> Result<(), TransactError>;

    /// Puts an end to doubt after [`TransactError::Unknown`]: once this returns, that transaction is either
    /// committed and visible, or can no longer become so, not even by a crash.
    async fn recover(&self) -> Result<Head, BackendError>;

    /// After [`Backend::recover`]: whether the doubtful transaction was committed; `None` if the log no longer
    /// reaches back to where it would be. As it stands, compares what the log has there with what was to be
    /// written: right where nobody else can have written the same.
    async fn wrote(&self, doubt: Doubt<'_>) -> Result<Option<bool>, BackendError> {
        let through = doubt
            .changes
            .last()
            .map_or(doubt.base, |last| last.revision);
        let mut cursor = doubt.base;
        let mut left = doubt.changes;
        while cursor < through {
            let limit = PageLimit {
                entries: left.len(),
                bytes: usize::MAX,
            };
            let page = self.log(cursor, through, limit).await?;
            if page.head.compacted > doubt.base {
                return Ok(None);
            }
            let Some(end) = page.value.last() else {
                return Ok(Some(false));
            };
            cursor = end.revision;
            let Some(rest) = left.strip_prefix(&*page.value) else {
                return Ok(Some(false));
            };
            left = rest;
        }
        Ok(Some(true))
    }

    /// Whether, and how, other processes may write the same database at the same time; `None` if none can.
    fn sharing(&self) -> Option<Sharing> {
        None
    }

    /// Returns when someone says that there is something new in the database: a hint to look, which may come too
    /// often or never. May be dropped at any time without losing one that comes later.
    async fn hint(&self) {
        std::future::pending().await
    }

    /// Leaves lost revisions behind: if the counter is below `told`, raises it far above, starts a new epoch, and
    /// declares all that was before compacted; otherwise, or if someone else has done so, changes nothing. Objects
    /// stay as they are. Returns the head after that. Asked only of backends that are shared.
    async fn jump(&self, told: Revision) -> Result<Head, BackendError> {
        let what = format!("cannot leave revision {told} behind");
        Err(BackendError::new(Problem::Other, what))
    }

    /// Fills an empty store with these records, in key order, and sets its head, in one transaction; false, and
    /// nothing is changed, if it is not empty. Their revisions are below the head's. Nothing is changed either
    /// if one of them is an error, which is returned. Keeps no more of them in memory than go into one statement.
    async fn fill(&self, head: Head, records: Records) -> Result<bool, BackendError> {
        drop(records);
        let what = format!("cannot restore objects at {}", head.revision);
        Err(BackendError::new(Problem::Other, what))
    }

    /// Begins to read all current records in key order.
    async fn load(&self) -> Result<Snapshot, BackendError>;

    /// Log entries with `after < revision <= through`, oldest first, as many as the limit lets pass. The head
    /// belongs to the same view or to a later one, so entries are complete if `after >= head.compacted`.
    async fn log(
        &self,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<At<Arc<[Change]>>, BackendError>;

    /// Records as they were at an old revision: those that have not changed since, and of the others what
    /// their first later log entry replaced. The head belongs to the same view, so the page is right if
    /// `head.compacted <= query.at <= head.revision`, and means nothing otherwise.
    async fn list_at(&self, query: ListQuery<'_>) -> Result<At<Page>, BackendError>;

    /// How many bytes of values the log holds, about. May scan the log.
    async fn log_bytes(&self) -> Result<u64, BackendError>;

    /// Raises [`Head::compacted`] to `through`, durably; a lower value than the present one changes nothing.
    /// Deletes nothing.
    async fn mark_compacted(&self, through: Revision) -> Result<(), BackendError>;

    /// Deletes up to `limit` of the oldest log entries that are compacted, in one short transaction, and says
    /// how many it deleted: less than `limit` means that none are left.
    async fn trim(&self, limit: u64) -> Result<u64, BackendError>;

    /// Gives space back to the system and tidies up, in short steps. `idle` says that no write happened for a
    /// while, so that more thorough work disturbs nobody.
    async fn upkeep(&self, idle: bool) -> Result<(), BackendError>;

    /// Finishes what is under way and releases the database. Called last, possibly more than once.
    async fn close(&self) -> Result<(), BackendError>;
}
