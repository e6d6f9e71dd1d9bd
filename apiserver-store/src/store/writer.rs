//! The writer: the only task that commits.
//!
//! Takes what is queued, never waits for more, and carries it out in one transaction. For each batch: commit,
//! then publish in order, then answer. So whoever has an answer can read what it says.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::{
    CommitError, StoreOptions,
    feed::Feed,
    follow,
    job::{Job, Opening, Reply, Waiting},
};
use crate::{Backend, BackendError, Batch, Problem, TransactError, backend::Plan};

/// After a failed write: how long until we see for ourselves whether the database takes writes again.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    /// Takes and gives values as they are stored.
    pub(super) backend: Arc<dyn Backend>,
    /// Gives values as they are.
    pub(super) opened: Arc<dyn Backend>,
    pub(super) feed: Arc<Feed>,
    pub(super) queue: mpsc::Receiver<Job>,
    /// Turns true (or goes away) when the store is to close: what is queued is still done.
    pub(super) closing: watch::Receiver<bool>,
    pub(super) options: StoreOptions,
    /// Why the last write failed; nothing once one has worked since.
    pub(super) trouble: Trouble,
    /// Wakes the follower, if there is one.
    pub(super) nudge: Arc<Notify>,
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

    /// Writes a batch. One that the database refuses for what is in it is written in halves, so that nobody's write fails because of
    /// somebody else's.
    async fn write(&mut self, jobs: Vec<Job>) {
        let mut batches = vec![jobs];
        while let Some(mut jobs) = batches.pop() {
            // Nobody waits for these any more; their callers were told nothing.
            jobs.retain(|job| !job.reply.is_closed());
            if let Some(mut first) = self.write_at_once(jobs).await {
                let second = first.split_off(first.len() / 2);
                batches.extend([second, first]);
            }
        }
    }

    /// Writes a batch in one transaction. Gives it back if something in it was refused and it can be halved.
    async fn write_at_once(&mut self, jobs: Vec<Job>) -> Option<Vec<Job>> {
        if jobs.is_empty() {
            return None;
        }
        let (mutations, waiting) = Job::split(jobs);
        let mut batch = Batch::new(mutations).not_before(self.feed.progress().committed);
        let error = match self.backend.transact(&mut batch).await {
            Err(TransactError::Failed(error))
                if error.problem() == Problem::Other && waiting.replies.len() > 1 =>
            {
                return Some(Job::join(batch.into_mutations(), waiting));
            }
            Ok(()) => match batch.into_plan() {
                Some(plan) => {
                    self.finish(plan, waiting).await;
                    return None;
                }
                None => {
                    self.nudge.notify_one();
                    went_back()
                }
            },
            Err(TransactError::Failed(error)) => error,
            Err(TransactError::Unknown(error)) => match batch.into_plan() {
                Some(plan) => {
                    self.trouble.send_replace(Some(error.clone()));
                    self.settle(plan, waiting, error).await;
                    return None;
                }
                None => error,
            },
        };
        tracing::warn!(error = &error as &dyn std::error::Error, "a write failed");
        self.trouble.send_replace(Some(error.clone()));
        refuse(waiting.replies, &error);
        None
    }

    /// The plan is durable: tell everyone, then those who asked.
    pub(super) async fn finish(&self, plan: Plan, waiting: Waiting) {
        if self.trouble.borrow().is_some() {
            self.trouble.send_replace(None);
        }
        if plan.base > self.feed.progress().committed && !plan.changes.is_empty() {
            follow::fill_through(&*self.opened, &self.feed, plan.base).await;
        }
        let Waiting { replies, plain } = waiting;
        let opening = Opening::new(&self.options.seals, &plan, plain);
        match opening.changes(&plan.changes).await {
            Ok(changes) => self.feed.publish(&changes),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    error,
                    "a committed change cannot be told; its readers will read the log"
                );
                self.feed.publish_unread(&plan.changes);
            }
        }
        for (reply, verdict) in replies.into_iter().zip(plan.verdicts) {
            let answer = opening.answer(verdict).await;
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

fn went_back() -> BackendError {
    let what = "the database is at an older revision than it was: it has lost acknowledged writes";
    BackendError::new(Problem::Damaged, what)
}
