//! Change streams: the log, then live, without a seam.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use tokio::sync::watch;

use super::{
    ReadError,
    feed::{Feed, Progress},
};
use crate::{Backend, BackendError, Change, PageLimit, Problem, Revision};

/// How much of the log a stream reads at once: enough to hide the round trip, little enough to hold.
const LOG_PAGE: PageLimit = PageLimit {
    entries: 512,
    bytes: 4 << 20,
};

/// Every change after some revision, each once, in revision order and without a gap, in batches of at least one.
///
/// Never ends while the store is open, except after an error: [`ReadError::Compacted`] if the reader was so
/// slow that the log forgot what it had to read next, [`ReadError::Unavailable`] if the log cannot be read.
/// Then open a new one after the last revision seen (or load a new snapshot). A change is yielded only when
/// [`Store::committed`](crate::Store::committed) has reached it. Holds no lock and no connection in between.
pub struct ChangeStream {
    batches: BoxStream<'static, Result<Arc<[Change]>, ReadError>>,
}

impl ChangeStream {
    pub(super) fn new(backend: Arc<dyn Backend>, feed: Arc<Feed>, after: Revision) -> Self {
        let progress = feed.watch();
        let reader = Reader {
            backend,
            feed,
            progress,
            cursor: after,
        };
        let batches = stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(None) => None,
                Ok(Some(batch)) => Some((Ok(batch), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Self {
            batches: batches.boxed(),
        }
    }
}

impl Stream for ChangeStream {
    type Item = Result<Arc<[Change]>, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ChangeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeStream").finish_non_exhaustive()
    }
}

struct Reader {
    backend: Arc<dyn Backend>,
    feed: Arc<Feed>,
    progress: watch::Receiver<Progress>,
    /// Everything up to here was yielded.
    cursor: Revision,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Arc<[Change]>>, ReadError> {
        loop {
            let progress = *self.progress.borrow_and_update();
            if self.cursor < progress.committed {
                let batch = match self.feed.after(self.cursor) {
                    Some(batch) => batch,
                    None => self.read_log(progress.committed).await?,
                };
                return self.advance(batch).map(Some);
            }
            if progress.closed || self.progress.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    async fn read_log(&self, through: Revision) -> Result<Arc<[Change]>, ReadError> {
        let page = self.backend.log(self.cursor, through, LOG_PAGE).await?;
        if self.cursor < page.head.compacted {
            return Err(ReadError::Compacted {
                oldest: page.head.compacted,
            });
        }
        Ok(page.value)
    }

    /// Moves the cursor over a batch, which must be the very next part of history.
    fn advance(&mut self, batch: Arc<[Change]>) -> Result<Arc<[Change]>, ReadError> {
        let start = self.cursor;
        for change in batch.iter() {
            if change.revision != self.cursor.next() {
                return Err(gap(self.cursor.next()));
            }
            self.cursor = change.revision;
        }
        if self.cursor == start {
            return Err(gap(start.next()));
        }
        Ok(batch)
    }
}

fn gap(missing: Revision) -> ReadError {
    let what = format!("the log lacks revision {missing}");
    BackendError::new(Problem::Damaged, what).into()
}
