//! The writer: the only task that commits.
//!
//! Takes what is queued, never waits for more, and carries it out in one transaction. For each batch: commit,
//! then publish in order, then answer. So whoever has an answer can read what it says.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::{CommitError, StoreOptions, feed::Feed};
use crate::{
    Backend, BackendError, Batch, Conflict, Mutation, Revision, TransactError, backend::Plan,
};

/// One mutation and who waits for it.
pub(super) struct Job {
    pub(super) mutation: Mutation,
    pub(super) reply: Reply,
}

/// After a failed write: how long until we see for ourselves whether the database takes writes again.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

pub(super) type Reply = oneshot::Sender<Result<Revision, CommitError>>;

pub(super) struct Writer {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) feed: Arc<Feed>,
    pub(super) queue: mpsc::Receiver<Job>,
    /// Turns true (or goes away) when the store is to close: what is queued is still done.
    pub(super) closing: watch::Receiver<bool>,
    pub(super) options: StoreOptions,
    /// Why the last write failed; nothing once one has worked since.
    pub(super) trouble: Trouble,
}

/// What is wrong with writing, shared with the handles.
pub(super) type Trouble = Arc<watch::Sender<Option<BackendError>>>;

impl Writer {
    pub(super) async fn run(mut self) {
        let mut jobs = Vec::new();
        while self.gather(&mut jobs).await {
            while !jobs.is_empty() {
                let fit = count_that_fit(&jobs, self.options.max_batch_bytes);
                let batch = jobs.drain(..fit).collect();
                self.write(batch).await;
            }
        }
    }

    /// Waits for work and takes what is there; false when there will be no more.
    async fn gather(&mut self, jobs: &mut Vec<Job>) -> bool {
        let max = self.options.max_batch.max(1);
        loop {
            let open = !self.queue.is_closed();
            let in_trouble = self.trouble.borrow().is_some();
            let (backend, trouble) = (self.backend.clone(), self.trouble.clone());
            tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing), if open => self.queue.close(),
                count = self.queue.recv_many(jobs, max) => return count > 0,
                () = probe_later(&*backend, &trouble), if in_trouble => {}
            }
        }
    }

    async fn write(&mut self, mut jobs: Vec<Job>) {
        // Nobody waits for these any more; their callers were told nothing.
        jobs.retain(|job| !job.reply.is_closed());
        if jobs.is_empty() {
            return;
        }
        let (mutations, replies): (_, Vec<_>) = jobs
            .into_iter()
            .map(|job| (job.mutation, job.reply))
            .unzip();
        let mut batch = Batch::new(mutations);
        let result = self.backend.transact(&mut batch).await;
        match (result, batch.into_plan()) {
            (Ok(()), Some(plan)) => self.finish(plan, replies),
            (Ok(()), None) => refuse(replies, &undecided()),
            (Err(TransactError::Failed(error)), _) | (Err(TransactError::Unknown(error)), None) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a write failed");
                self.trouble.send_replace(Some(error.clone()));
                refuse(replies, &error);
            }
            (Err(TransactError::Unknown(error)), Some(plan)) => {
                self.trouble.send_replace(Some(error.clone()));
                self.settle(plan, replies, error).await;
            }
        }
    }

    /// The plan is durable: tell everyone, then those who asked.
    pub(super) fn finish(&self, plan: Plan, replies: Vec<Reply>) {
        if self.trouble.borrow().is_some() {
            self.trouble.send_replace(None);
        }
        self.feed.publish(&plan.changes);
        for (reply, verdict) in replies.into_iter().zip(plan.verdicts) {
            let answer = verdict.map_err(|Conflict { current }| CommitError::Conflict { current });
            // Whoever stopped waiting does not get to know.
            let _ = reply.send(answer);
        }
    }
}

/// After a pause, ends the trouble if the database takes writes again: whoever stays away while we are in trouble would otherwise
/// never learn that it is over.
async fn probe_later(backend: &dyn Backend, trouble: &watch::Sender<Option<BackendError>>) {
    tokio::time::sleep(PROBE_PAUSE).await;
    if backend.recover().await.is_ok() {
        trouble.send_replace(None);
    }
}

impl Drop for Writer {
    /// Also when the backend panicked: streams must not wait for a writer that is gone.
    fn drop(&mut self) {
        self.feed.close();
    }
}

/// Answers that nothing was written.
pub(super) fn refuse(replies: impl IntoIterator<Item = Reply>, error: &BackendError) {
    for reply in replies {
        let _ = reply.send(Err(CommitError::Unavailable(error.clone())));
    }
}

/// How many jobs from the front go into one batch: at least one.
fn count_that_fit(jobs: &[Job], max_bytes: usize) -> usize {
    let mut bytes = 0_usize;
    let fit = jobs
        .iter()
        .take_while(|job| {
            bytes = bytes.saturating_add(job.mutation.weight());
            bytes <= max_bytes
        })
        .count();
    fit.max(1)
}

fn undecided() -> BackendError {
    BackendError::new(crate::Problem::Other, "the backend did not plan the batch")
}
