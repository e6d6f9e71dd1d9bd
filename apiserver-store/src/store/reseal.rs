//! Sealing again what is stored otherwise than it would be stored now.

use std::collections::VecDeque;

use futures::{StreamExt, stream};

use super::{CommitError, CompactError, ReadError, Store};
use crate::{Action, BackendError, Expect, Mutation, Record, Revision};

/// So many values are written at the same time: enough to fill the writer's batches, few enough to leave room for others.
const AT_ONCE: usize = 32;
/// Somebody who still writes with an older configuration makes work faster than it is done: not for ever.
const PASSES: u32 = 10;

/// How far sealing again has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResealProgress {
    /// Values that were looked at in this pass: all of the store.
    pub seen: u64,
    /// Values of this pass that were not stored as they would be now.
    pub stale: u64,
    /// Values of this pass that have been dealt with.
    pub done: u64,
    /// Values that were stored anew, in all passes.
    pub resealed: u64,
    /// Which pass this is, from 1. The last one finds nothing.
    pub pass: u32,
}

/// Why not everything was sealed again. What was, stays.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResealError {
    /// The store cannot be read.
    #[error("the stored values cannot be read")]
    Read(#[source] ReadError),
    /// A value cannot be written.
    #[error("a value cannot be written")]
    Write(#[source] CommitError),
    /// Values that cannot be opened, so they stay as they are.
    #[error("{count} values cannot be opened; the first one")]
    Unreadable {
        /// How many.
        count: usize,
        /// Why the first one of them cannot.
        #[source]
        first: BackendError,
    },
    /// There was always something new to seal.
    #[error(
        "values are stored in the old way as fast as they are sealed again: another process on this database still has an \
         older encryption configuration"
    )]
    Endless,
    /// The old values are still in the history.
    #[error("the history before cannot be forgotten")]
    Forget(#[source] CompactError),
}

/// What became of one value.
enum Outcome {
    Resealed,
    /// Somebody else changed it, and sealed it by doing so.
    Overtaken,
    Unreadable(BackendError),
}

impl Store {
    /// Stores everything anew that is not sealed with its resource's first provider and that one's first key, then forgets the history
    /// up to there, which still holds the values as they were. Returns how much there was to do.
    ///
    /// Each value is written by compare and swap and with a new revision, as if a client had replaced an object with itself; clients and
    /// other processes may go on. Holds the values that are to be written in memory. Safe to drop and repeat. Before an old key is taken
    /// from the configuration, this must have run to its end with every process on the database using the new one.
    ///
    /// # Errors
    /// See [`ResealError`].
    pub async fn reseal(
        &self,
        mut progress: impl FnMut(ResealProgress),
    ) -> Result<ResealProgress, ResealError> {
        let mut state = ResealProgress::default();
        let mut unreadable = Vec::new();
        while state.pass < PASSES {
            state.pass += 1;
            let stale = self.stale(&mut state).await?;
            (state.stale, state.done) = (count(stale.len()), 0);
            progress(state);
            unreadable.clear();
            let mut writes = stream::iter(stale)
                .map(|record| self.reseal_one(record))
                .buffer_unordered(AT_ONCE);
            while let Some(outcome) = writes.next().await {
                state.done += 1;
                match outcome? {
                    Outcome::Resealed => state.resealed += 1,
                    Outcome::Overtaken => {}
                    Outcome::Unreadable(error) => unreadable.push(error),
                }
                progress(state);
            }
            if state.stale == count(unreadable.len()) {
                return self.finish_reseal(state, unreadable).await;
            }
        }
        Err(ResealError::Endless)
    }

    async fn finish_reseal(
        &self,
        state: ResealProgress,
        unreadable: Vec<BackendError>,
    ) -> Result<ResealProgress, ResealError> {
        let count = unreadable.len();
        if let Some(first) = unreadable.into_iter().next() {
            return Err(ResealError::Unreadable { count, first });
        }
        // Also when nothing was stale: an earlier run may have been interrupted before this.
        self.compact(self.committed())
            .await
            .map_err(ResealError::Forget)?;
        Ok(state)
    }

    /// The records that are not stored as they would be now, with their values as they are stored.
    async fn stale(&self, state: &mut ResealProgress) -> Result<VecDeque<Record>, ResealError> {
        let read = |error: BackendError| ResealError::Read(error.into());
        let mut snapshot = self.sealed().load().await.map_err(read)?;
        let mut stale = VecDeque::new();
        state.seen = 0;
        while let Some(record) = snapshot.next().await {
            let record = record.map_err(read)?;
            state.seen += 1;
            if !self.seals().is_current(&record.key, &record.value) {
                stale.push_back(record);
            }
        }
        Ok(stale)
    }

    async fn reseal_one(&self, record: Record) -> Result<Outcome, ResealError> {
        let revision: Revision = record.revision;
        let record = match self.seals().open_record(record).await {
            Ok(record) => record,
            Err(error) => return Ok(Outcome::Unreadable(error.into())),
        };
        let mutation = Mutation {
            key: record.key,
            expect: Expect::Revision(revision),
            action: Action::Put(record.value),
        };
        match self.commit(mutation).await {
            Ok(_) => Ok(Outcome::Resealed),
            // The next pass looks at it again.
            Err(CommitError::Conflict { .. }) => Ok(Outcome::Overtaken),
            Err(error) => Err(ResealError::Write(error)),
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
