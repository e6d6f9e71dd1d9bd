//! One question to the database for all who wait to ask it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::{BackendError, Head};

/// Shares answers about the head. An answer counts for whoever asked before it was begun to be read; so each
/// caller waits for two readings at most, however many there are.
#[derive(Debug, Default)]
pub(super) struct Latest {
    asked: AtomicU64,
    answer: Mutex<Option<(u64, Head)>>,
}

impl Latest {
    /// The head as some reading finds it that begins after this call.
    pub(super) async fn ask<F>(&self, read: impl FnOnce() -> F) -> Result<Head, BackendError>
    where
        F: Future<Output = Result<Head, BackendError>>,
    {
        let mine = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut answer = self.answer.lock().await;
        if let Some((through, head)) = *answer
            && through >= mine
        {
            return Ok(head);
        }
        let through = self.asked.load(Ordering::Acquire);
        let head = read().await?;
        *answer = Some((through, head));
        Ok(head)
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
}
