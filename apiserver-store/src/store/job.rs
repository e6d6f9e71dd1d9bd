//! A mutation on its way to the writer, sealed, and its outcome on the way back, opened.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::CommitError;
use crate::{
    Action, BackendError, Change, Conflict, Key, Mutation, Record, Revision, Seals,
    backend::{Plan, Verdict},
};

/// Who waits for one mutation.
pub(super) type Reply = oneshot::Sender<Result<Revision, CommitError>>;

/// One mutation and who waits for it.
pub(super) struct Job {
    /// With its value as it is to be stored.
    pub(super) mutation: Mutation,
    pub(super) reply: Reply,
    /// The value as it is.
    plain: Bytes,
}

/// Those who wait for a batch, and the values that they gave, both in the order of its mutations.
pub(super) struct Waiting {
    pub(super) replies: Vec<Reply>,
    pub(super) plain: Vec<Bytes>,
}

impl Job {
    /// Seals the mutation's value.
    ///
    /// # Errors
    /// [`CommitError::Unavailable`] if it cannot be sealed.
    pub(super) fn new(
        mut mutation: Mutation,
        seals: &Seals,
        reply: Reply,
    ) -> Result<Self, CommitError> {
        let (Action::Put(value) | Action::Delete(value)) = &mut mutation.action;
        let plain = value.clone();
        *value = seals
            .seal(&mutation.key, &plain)
            .map_err(|error| CommitError::Unavailable(error.into()))?;
        Ok(Self {
            mutation,
            reply,
            plain,
        })
    }

    /// Takes jobs apart into what is written and who waits for it.
    pub(super) fn split(jobs: Vec<Self>) -> (Vec<Mutation>, Waiting) {
        let mut waiting = Waiting {
            replies: Vec::with_capacity(jobs.len()),
            plain: Vec::with_capacity(jobs.len()),
        };
        let mutations = jobs
            .into_iter()
            .map(|job| {
                waiting.replies.push(job.reply);
                waiting.plain.push(job.plain);
                job.mutation
            })
            .collect();
        (mutations, waiting)
    }

    /// Puts together what [`Job::split`] took apart.
    pub(super) fn join(mutations: Vec<Mutation>, waiting: Waiting) -> Vec<Self> {
        let Waiting { replies, plain } = waiting;
        let rest = replies.into_iter().zip(plain);
        mutations
            .into_iter()
            .zip(rest)
            .map(|(mutation, (reply, plain))| Self {
                mutation,
                reply,
                plain,
            })
            .collect()
    }
}

/// Opens what a batch decided. Values of the batch itself are known; only what it replaced has to be opened.
pub(super) struct Opening<'a> {
    seals: &'a Seals,
    /// The values that the batch has written, by the revision that each got.
    written: HashMap<Revision, Bytes>,
}

impl<'a> Opening<'a> {
    /// `plain` are the values of the plan's mutations, in their order.
    pub(super) fn new(seals: &'a Seals, plan: &Plan, plain: Vec<Bytes>) -> Self {
        let written = plan.verdicts.iter().zip(plain);
        Self {
            seals,
            written: written
                .filter_map(|(verdict, plain)| Some((*verdict.as_ref().ok()?, plain)))
                .collect(),
        }
    }

    /// The changes with their values as they are.
    pub(super) async fn changes(
        &self,
        sealed: &Arc<[Change]>,
    ) -> Result<Arc<[Change]>, BackendError> {
        let mut changes = Vec::with_capacity(sealed.len());
        for change in sealed.iter() {
            let mut change = change.clone();
            change.value = self
                .value(&change.key, change.revision, change.value)
                .await?;
            if let Some(mut previous) = change.previous.take() {
                previous.value = self
                    .value(&change.key, previous.revision, previous.value)
                    .await?;
                change.previous = Some(previous);
            }
            changes.push(change);
        }
        Ok(changes.into())
    }

    /// What to tell the one who waits for a verdict.
    pub(super) async fn answer(&self, verdict: Verdict) -> Result<Revision, CommitError> {
        let Conflict { current } = match verdict {
            Ok(revision) => return Ok(revision),
            Err(conflict) => conflict,
        };
        let Some(record) = current else {
            return Err(CommitError::Conflict { current: None });
        };
        let value = self.value(&record.key, record.revision, record.value).await;
        Err(match value {
            Ok(value) => CommitError::Conflict {
                current: Some(Record { value, ..record }),
            },
            // It found something that nobody can read, and wrote nothing.
            Err(error) => CommitError::Unavailable(error),
        })
    }

    async fn value(
        &self,
        key: &Key,
        revision: Revision,
        stored: Bytes,
    ) -> Result<Bytes, BackendError> {
        match self.written.get(&revision) {
            Some(plain) => Ok(plain.clone()),
            None => Ok(self.seals.open(key, stored).await?),
        }
    }
}
