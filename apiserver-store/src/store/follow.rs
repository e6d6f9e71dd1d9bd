//! The follower: learns what other processes have committed on the same database.
//!
//! A hint or the clock makes it look at the counter; what is new it reads from the log, in order, and tells like
//! the writer does. It decides nothing by the hint itself, so a lost one costs only time.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{closing::until_closed, feed::Feed, writer::Trouble};
use crate::{Backend, BackendError, Head, PageLimit, Revision, Sharing};

/// How much of the log is read at once.
const LOG_PAGE: PageLimit = PageLimit {
    entries: 512,
    bytes: 4 << 20,
};
/// How long the writer waits for what others committed before it tells of its own without them.
const FILL_PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Follower {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) feed: Arc<Feed>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) sharing: Sharing,
    /// Somebody of this process knows that there is something new.
    pub(super) nudge: Arc<Notify>,
    /// Why it is not known what others commit; nothing while it is.
    pub(super) blind: Trouble,
}

impl Follower {
    pub(super) async fn run(self) {
        until_closed(self.closing.clone(), self.work()).await;
    }

    async fn work(&self) {
        let Sharing { soonest, latest } = self.sharing;
        let mut pause = soonest;
        let mut failed = 0_u32;
        loop {
            tokio::select! {
                () = self.backend.hint() => {}
                () = self.nudge.notified() => {}
                () = sleep(pause) => {}
            }
            match catch_up(&*self.backend, &self.feed).await {
                Ok(news) => {
                    if failed > 1 {
                        self.blind.send_replace(None);
                    }
                    failed = 0;
                    pause = if news {
                        soonest
                    } else {
                        (pause * 2).min(latest)
                    };
                }
                Err(error) => {
                    failed = failed.saturating_add(1);
                    // Once can be a connection that was lost meanwhile.
                    if failed == 2 {
                        let what = &error as &dyn std::error::Error;
                        tracing::warn!(error = what, "cannot see what others commit; trying on");
                        self.blind.send_replace(Some(error));
                    }
                    pause = latest;
                }
            }
        }
    }
}

/// Tells all that is committed in the database and not yet told; true if there was any.
pub(super) async fn catch_up(backend: &dyn Backend, feed: &Feed) -> Result<bool, BackendError> {
    let mut news = false;
    loop {
        let before = feed.progress();
        let head = backend.head().await?;
        if head.epoch != before.epoch {
            tracing::warn!(epoch = head.epoch, revision = %head.revision, "the history was cut; starting anew");
            feed.skip_to(head);
            return Ok(true);
        }
        if head.revision < before.committed {
            // Our writer may be faster than our look; a database that is slower than itself has lost something.
            let again = backend.head().await?;
            if again.epoch == before.epoch && again.revision < before.committed {
                tracing::error!(
                    told = %before.committed, found = %again.revision,
                    "the database has lost revisions that were told; leaving their numbers behind"
                );
                feed.skip_to(backend.jump(before.committed).await?);
                return Ok(true);
            }
            continue;
        }
        if head.compacted > before.compacted {
            feed.compacted(head.compacted);
        }
        if head.revision == before.committed {
            return Ok(news);
        }
        news = true;
        tell_next(backend, feed, before.committed, head).await?;
    }
}

/// Tells some of what follows `cursor`, through `head`.
async fn tell_next(
    backend: &dyn Backend,
    feed: &Feed,
    cursor: Revision,
    head: Head,
) -> Result<(), BackendError> {
    let page = backend.log(cursor, head.revision, LOG_PAGE).await?;
    if cursor < page.head.compacted {
        feed.skip_to(page.head);
    } else if page
        .value
        .first()
        .is_some_and(|first| first.revision == cursor.next())
    {
        feed.publish(&page.value);
    } else {
        let what = format!("the log lacks revision {}", cursor.next());
        return Err(crate::backend::damaged(what));
    }
    Ok(())
}

/// Before the writer tells what it committed after `base`: tells what others committed up to there, if that
/// takes no long.
pub(super) async fn fill_through(backend: &dyn Backend, feed: &Feed, base: Revision) {
    let filled = timeout(FILL_PATIENCE, async {
        loop {
            let cursor = feed.progress().committed;
            if cursor >= base {
                return Ok(());
            }
            let page = backend.log(cursor, base, LOG_PAGE).await?;
            if page
                .value
                .first()
                .is_none_or(|first| first.revision != cursor.next())
            {
                return Ok(());
            }
            feed.publish(&page.value);
        }
    });
    if let Ok(Err(error)) = filled.await {
        let error: &BackendError = &error;
        tracing::debug!(
            error = error as &dyn std::error::Error,
            "streams will read the log themselves"
        );
    }
}
