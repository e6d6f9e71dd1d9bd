//! Finding out what became of a transaction whose commit failed halfway.
//!
//! Until that is known nothing else is written, because the next revision is not known either. Callers wait
//! for the answer as long as their patience lasts; the question is pursued until it is answered.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::writer::{Reply, Writer, refuse};
use crate::{BackendError, Change, CommitError, PageLimit, Problem, backend::Plan};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Writer {
    /// Ends the doubt about `plan` and answers accordingly.
    pub(super) async fn settle(&mut self, plan: Plan, replies: Vec<Reply>, error: BackendError) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            base = %plan.base,
            "a commit failed; finding out whether it took place"
        );
        let deadline = Instant::now() + self.options.settle_patience;
        let mut waiting = Some(replies);
        let mut pause = FIRST_PAUSE;
        loop {
            match self.find_out(&plan).await {
                Ok(true) => return self.finish(plan, waiting.unwrap_or_default()),
                Ok(false) => return refuse(waiting.unwrap_or_default(), &error),
                Err(trouble) => {
                    tracing::warn!(
                        error = &trouble as &dyn std::error::Error,
                        "still unknown whether a commit took place"
                    );
                }
            }
            let closing = *self.closing.borrow() || self.closing.has_changed().is_err();
            if closing || Instant::now() >= deadline {
                give_up(waiting.take().unwrap_or_default(), &error);
                while let Ok(job) = self.queue.try_recv() {
                    refuse([job.reply], &error);
                }
            }
            if closing {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether the plan's changes are what the log now has after its base.
    async fn find_out(&self, plan: &Plan) -> Result<bool, BackendError> {
        let Some(last) = plan.changes.last() else {
            return Ok(true);
        };
        let head = self.backend.recover().await?;
        if head.revision < last.revision {
            return Ok(false);
        }
        let mut found: Vec<Change> = Vec::new();
        let mut cursor = plan.base;
        while cursor < last.revision {
            let limit = PageLimit {
                entries: plan.changes.len(),
                bytes: usize::MAX,
            };
            let page = self.backend.log(cursor, last.revision, limit).await?;
            let Some(end) = page.value.last() else {
                let what = format!("the log lacks revision {}", cursor.next());
                return Err(BackendError::new(Problem::Damaged, what));
            };
            cursor = end.revision;
            found.extend_from_slice(&page.value);
        }
        Ok(*found == *plan.changes)
    }
}

/// Answers that it cannot be told.
fn give_up(replies: Vec<Reply>, error: &BackendError) {
    for reply in replies {
        let _ = reply.send(Err(CommitError::UnknownOutcome(error.clone())));
    }
}
