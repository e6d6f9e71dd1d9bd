//! The suite that every backend passes.
//!
//! A backend brings a [`Fixture`]; [`conformance_suite!`](crate::conformance_suite) makes one test of each
//! check for it. Checks use only what [`Store`] promises, and compare it with a [`Model`] that keeps every state
//! there ever was. They panic with what they found, as tests do.

mod backups;
mod compaction;
pub mod databases;
mod history;
mod lifecycle;
mod model;
mod streams;
mod writes;

pub use backups::*;
pub use compaction::*;
pub use history::*;
pub use lifecycle::*;
pub use model::{Model, Op, check_history};
pub use streams::*;
pub use writes::*;

use bytes::Bytes;
use futures::StreamExt;

use crate::{
    Action, Backend, Change, ChangeStream, CommitError, Expect, Key, Mutation, Revision, Seals,
    Store, StoreOptions,
};

/// Some place that can hold one store, empty at first.
#[async_trait::async_trait]
pub trait Fixture: Send + Sync + Sized {
    /// The backend under test.
    type Backend: Backend;

    /// Whether what it takes is there; if not, it says so, and the checks return at once.
    fn available() -> bool {
        true
    }

    /// How stores on it seal what they write. Always the same.
    fn seals() -> Seals {
        Seals::default()
    }

    /// A new, empty place. What it needs is released when the fixture is dropped.
    async fn new() -> Self;

    /// Opens what is there. The suite opens a place again only after it has closed the store on it.
    async fn open(&self) -> Self::Backend;
}

/// Defines one `#[tokio::test]` for every check of the suite, on the given [`Fixture`].
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:ty) => {
        $crate::conformance_suite! { @checks $fixture:
            revisions_are_gapless_and_failures_burn_none,
            a_mutation_happens_only_if_its_expectation_is_met,
            incomplete_keys_are_refused,
            values_come_back_byte_for_byte,
            mutations_queued_together_are_judged_one_after_the_other,
            heavy_mutations_do_not_share_a_batch,
            concurrent_writers_make_one_history,
            dropped_commits_happen_wholly_or_not_at_all,
            streams_go_from_the_log_to_live_without_a_seam,
            a_stream_waits_for_what_comes,
            a_snapshot_is_one_moment,
            every_old_revision_can_be_listed,
            keys_are_ordered_bytewise,
            lists_of_the_future_are_refused,
            compaction_forgets_exactly_what_it_says,
            compaction_does_not_disturb_writers,
            a_stream_that_falls_behind_compaction_is_told,
            a_reopened_store_goes_on_where_it_was,
            closing_carries_out_what_is_queued,
            a_backup_is_restored_far_ahead,
            a_restore_happens_wholly_or_not_at_all,
        }
    };
    (@checks $fixture:ty: $($check:ident,)*) => {
        $(
            #[tokio::test]
            async fn $check() {
                if <$fixture as $crate::conformance::Fixture>::available() {
                    $crate::conformance::$check::<$fixture>().await;
                }
            }
        )*
    };
}

/// Options under which streams depend on the log as much as on memory, and nothing is forgotten by itself.
fn options<F: Fixture>() -> StoreOptions {
    StoreOptions {
        live_changes: 8,
        retention: None,
        seals: F::seals(),
        ..StoreOptions::default()
    }
}

async fn open<F: Fixture>(fixture: &F) -> Store {
    Store::open(fixture.open().await, options::<F>())
        .await
        .expect("the store opens")
}

fn put(key: &Key, expect: Expect, value: impl Into<Bytes>) -> Mutation {
    Mutation {
        key: key.clone(),
        expect,
        action: Action::Put(value.into()),
    }
}

fn delete(key: &Key, expect: Revision, last: impl Into<Bytes>) -> Mutation {
    let action = Action::Delete(last.into());
    Mutation {
        key: key.clone(),
        expect: Expect::Revision(expect),
        action,
    }
}

/// What is there instead, from a commit that must have failed because of it.
fn conflict(result: Result<Revision, CommitError>) -> Option<crate::Record> {
    match result {
        Err(CommitError::Conflict { current }) => current,
        other => panic!("expected a conflict, got {other:?}"),
    }
}

/// Reads a stream up to and including `through`, and checks that nothing is missing, doubled or out of order.
async fn read_through(
    stream: &mut ChangeStream,
    after: Revision,
    through: Revision,
) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut cursor = after;
    while cursor < through {
        let batch = stream
            .next()
            .await
            .expect("the stream goes on")
            .expect("the log is readable");
        assert!(!batch.is_empty(), "a batch is never empty");
        for change in batch.iter() {
            assert_eq!(change.revision, cursor.next(), "history has no gap");
            cursor = change.revision;
        }
        changes.extend_from_slice(&batch);
    }
    changes
}

/// The whole history of a store whose log is complete.
async fn history(store: &Store) -> Vec<Change> {
    let mut stream = store
        .changes(Revision::ZERO)
        .await
        .expect("the log is complete");
    read_through(&mut stream, Revision::ZERO, store.committed()).await
}

/// Writes `count` changes on a few keys, one after the other.
async fn write_some(store: &Store, count: usize) {
    let mut last = [None; 5];
    for turn in 0..count {
        let slot = turn % last.len();
        let key = Key::new("/configmaps", "default", format!("c{slot}"));
        let expect = last[slot].map_or(Expect::Absent, Expect::Revision);
        let written = store.commit(put(&key, expect, format!("{turn}"))).await;
        last[slot] = Some(written.expect("nobody else writes"));
    }
}
