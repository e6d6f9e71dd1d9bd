//! One question to the database for all who wait to ask it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::Mutex, time::timeout};

use crate::{BackendError, Head, Problem};

/// One row of a database that is well comes in milliseconds. Who waits for it gives up long before the client does.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shares answers about the head. An answer counts for whoever asked before it was begun to be read, and a failure
/// for whoever had asked by then; so each caller waits for two readings at most, however many there are.
#[derive(Debug, Default)]
pub(super) struct Latest {
    asked: AtomicU64,
    answer: Mutex<Option<(u64, Result<Head, BackendError>)>>,
}

impl Latest {
    /// The head as some reading finds it that begins after this call.
    pub(super) async fn ask<F>(&self, read: impl FnOnce() -> F) -> Result<Head, BackendError>
    where
        F: Future<Output = Result<Head, BackendError>>,
    {
        let mine = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut answer = self.answer.lock().await;
        if let Some((through, shared)) = &*answer
            && *through >= mine
        {
            return shared.clone();
        }
        let before = self.asked.load(Ordering::Acquire);
        let outcome = timeout(PATIENCE, read()).await.unwrap_or_else(|_| {
            let what = format!("no answer within {} seconds", PATIENCE.as_secs());
            Err(BackendError::new(Problem::Io, what))
        });
        // A revision may be older than a question that came meanwhile. That the database fails is news to nobody.
        let through = match outcome {
            Ok(_) => before,
            Err(_) => self.asked.load(Ordering::Acquire),
        };
        *answer = Some((through, outcome.clone()));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;
    use tokio::time::sleep;

    use super::*;
    use crate::Revision;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_asks_twice_and_nobody_gets_an_answer_from_before_the_question() {
        let latest = Latest::default();
        let reads = AtomicU64::new(0);
        let read = || async {
            let number = reads.fetch_add(1, Ordering::AcqRel) + 1;
            sleep(Duration::from_millis(10)).await;
            Ok(Head {
                revision: Revision::new(number),
                compacted: Revision::ZERO,
                epoch: 1,
            })
        };
        let first = latest.ask(read);
        let crowd = async {
            // The first reading is under way: it may have missed what these must see.
            sleep(Duration::from_millis(1)).await;
            join_all((0..100).map(|_| latest.ask(read))).await
        };
        let (first, crowd) = tokio::join!(first, crowd);
        assert_eq!(first.unwrap().revision.get(), 1);
        for answer in crowd {
            assert_eq!(answer.unwrap().revision.get(), 2);
        }
        assert_eq!(reads.load(Ordering::Acquire), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_does_not_queue_before_a_database_that_does_not_answer() {
        let latest = Latest::default();
        let start = tokio::time::Instant::now();
        let hang = || std::future::pending::<Result<Head, BackendError>>();
        for answer in join_all((0..100).map(|_| latest.ask(hang))).await {
            assert_eq!(answer.unwrap_err().problem(), Problem::Io);
        }
        assert_eq!(start.elapsed(), PATIENCE);
        // The failure is not kept for those who come later.
        let head = Head {
            revision: Revision::new(1),
            compacted: Revision::ZERO,
            epoch: 1,
        };
        assert_eq!(latest.ask(|| async { Ok(head) }).await.unwrap(), head);
    }
}
