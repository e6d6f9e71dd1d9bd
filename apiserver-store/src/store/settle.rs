//! Finding out what became of a transaction whose commit failed halfway.
//!
//! Until that is known nothing else is written, because the next revision is not known either. Callers wait
//! for the answer as long as their patience lasts; the question is pursued until it is answered.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    job::{Reply, Waiting},
    writer::{Writer, refuse},
};
use crate::{BackendError, CommitError, Doubt, backend::Plan};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Writer {
    /// Ends the doubt about `plan` and answers accordingly.
    pub(super) async fn settle(&mut self, plan: Plan, mut waiting: Waiting, error: BackendError) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            base = %plan.base,
            "a commit failed; finding out whether it took place"
        );
        let deadline = Instant::now() + self.options.settle_patience;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.find_out(&plan).await {
                Ok(Some(true)) => return self.finish(plan, waiting).await,
                Ok(Some(false)) => return refuse(waiting.replies, &error),
                Ok(None) => return give_up(waiting.replies, &error),
                Err(trouble) => {
                    tracing::warn!(
                        error = &trouble as &dyn std::error::Error,
                        "still unknown whether a commit took place"
                    );
                }
            }
            let closing = *self.closing.borrow() || self.closing.has_changed().is_err();
            if closing || Instant::now() >= deadline {
                give_up(std::mem::take(&mut waiting.replies), &error);
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

    /// Whether the plan's changes were committed: `None` if nobody can tell any more.
    async fn find_out(&self, plan: &Plan) -> Result<Option<bool>, BackendError> {
        let Some(last) = plan.changes.last() else {
            return Ok(Some(true));
        };
        let head = self.backend.recover().await?;
        if head.revision < last.revision {
            return Ok(Some(false));
        }
        let doubt = Doubt {
            base: plan.base,
            changes: &plan.changes,
            tag: plan.tag,
        };
        self.backend.wrote(doubt).await
    }
}

/// Answers that it cannot be told.
fn give_up(replies: Vec<Reply>, error: &BackendError) {
    for reply in replies {
        let _ = reply.send(Err(CommitError::UnknownOutcome(error.clone())));
    }
}
