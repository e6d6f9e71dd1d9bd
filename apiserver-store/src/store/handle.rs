//! The handle that everyone holds.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    ChangeStream, CommitError, CompactError, CompactReport, OpenError, ReadError, StoreOptions,
    compactor::{Compactor, compact},
    feed::Feed,
    writer::{Job, Trouble, Writer},
};
use crate::{Backend, BackendError, Head, ListQuery, Mutation, Page, Revision, Snapshot};

/// A revisioned object store. Clones are handles to the same store.
///
/// Must be used within a tokio runtime: [`Store::open`] starts the writer and the compactor on it. When the
/// last handle is dropped they finish what is queued and stop; [`Store::close`] also waits for that.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    backend: Arc<dyn Backend>,
    feed: Arc<Feed>,
    epoch: u64,
    queue: mpsc::Sender<Job>,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    trouble: Trouble,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("feed", &self.feed.progress())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Takes over a backend and starts to serve.
    ///
    /// # Errors
    /// [`OpenError::Backend`] if the backend cannot be read.
    pub async fn open(backend: impl Backend, options: StoreOptions) -> Result<Self, OpenError> {
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let head = backend.head().await.map_err(OpenError::Backend)?;
        let feed = Arc::new(Feed::new(head, options.clone()));
        let (queue, queued) = mpsc::channel(options.queue.max(1));
        let closing = watch::Sender::new(false);
        let compactor = Compactor {
            backend: backend.clone(),
            feed: feed.clone(),
            closing: closing.subscribe(),
            retention: options.retention.clone(),
        };
        let trouble = Trouble::default();
        let writer = Writer {
            backend: backend.clone(),
            feed: feed.clone(),
            queue: queued,
            closing: closing.subscribe(),
            options,
            trouble: trouble.clone(),
        };
        let tasks = vec![tokio::spawn(writer.run()), tokio::spawn(compactor.run())];
        let shared = Shared {
            backend,
            feed,
            epoch: head.epoch,
            queue,
            closing,
            tasks: Mutex::new(tasks),
            trouble,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Carries out one mutation, and returns the revision it got, once it is durable and published: by then
    /// [`Store::committed`] has reached it.
    ///
    /// Mutations are carried out in the order in which they enter the queue. If the returned future is dropped,
    /// the mutation still happens wholly or not at all.
    ///
    /// # Errors
    /// See [`CommitError`]; only [`CommitError::UnknownOutcome`] leaves it open whether it happened.
    pub async fn commit(&self, mutation: Mutation) -> Result<Revision, CommitError> {
        if mutation.key.resource.is_empty() || mutation.key.name.is_empty() {
            return Err(CommitError::InvalidKey(mutation.key));
        }
        let (reply, answer) = oneshot::channel();
        let queued = self.shared.queue.send(Job { mutation, reply }).await;
        if queued.is_err() {
            return Err(CommitError::Unavailable(BackendError::closed()));
        }
        // A writer that goes away without an answer may have been in the middle of it.
        answer
            .await
            .unwrap_or_else(|_| Err(CommitError::UnknownOutcome(BackendError::closed())))
    }

    /// The highest revision known to be durable in this process. Never falls. Does no I/O.
    pub fn committed(&self) -> Revision {
        self.shared.feed.progress().committed
    }

    /// Why the database takes no writes: the last failure, until a write or a probe each second after it has worked.
    /// Does no I/O.
    pub fn trouble(&self) -> Option<BackendError> {
        self.shared.trouble.borrow().clone()
    }

    /// The highest revision that is committed in the database, by whichever process.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    pub async fn latest(&self) -> Result<Revision, ReadError> {
        Ok(self.shared.backend.head().await?.revision)
    }

    /// Which run of revisions this is: rises when a backup is restored. Does no I/O.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    /// Reads all current records, consistent with each other and with the snapshot's revision, in key order.
    /// Then [`Store::changes`] after that revision tells everything that follows.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    pub async fn load(&self) -> Result<Snapshot, ReadError> {
        Ok(self.shared.backend.load().await?)
    }

    /// Every change after `after`: from the log, then live.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] if the log no longer has what follows `after`, [`ReadError::Future`] if
    /// `after` does not exist yet.
    pub async fn changes(&self, after: Revision) -> Result<ChangeStream, ReadError> {
        let progress = self.shared.feed.progress();
        if after < progress.compacted {
            return Err(ReadError::Compacted {
                oldest: progress.compacted,
            });
        }
        if after > progress.committed {
            return Err(ReadError::Future {
                latest: progress.committed,
            });
        }
        let Shared { backend, feed, .. } = &*self.shared;
        Ok(ChangeStream::new(backend.clone(), feed.clone(), after))
    }

    /// Lists records of one resource as they were at revision `at`, in key order: those of one namespace or of
    /// all, after the given namespace and name, at most `limit` (use `usize::MAX` for all).
    ///
    /// Read from the database each time, and meant for the rare reader of an old revision: it costs a scan of
    /// the log since `at`.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] if `at` is forgotten, [`ReadError::Future`] if it does not exist yet.
    pub async fn list_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
        at: Revision,
    ) -> Result<Page, ReadError> {
        let query = ListQuery {
            resource,
            namespace,
            after,
            limit,
            at,
        };
        let answer = self.shared.backend.list_at(query).await?;
        let Head {
            revision: latest,
            compacted: oldest,
            ..
        } = answer.head;
        if at < oldest {
            return Err(ReadError::Compacted { oldest });
        }
        if at > latest {
            return Err(ReadError::Future { latest });
        }
        Ok(answer.value)
    }

    /// Forgets the log entries up to and including `through`; `through` itself stays the oldest state that can
    /// be listed, and changes after it the oldest that can be streamed. Current records are not touched.
    ///
    /// Deletes in small transactions, so that writers hardly wait. Safe to run at the same time as anything
    /// else, and to drop and repeat.
    ///
    /// # Errors
    /// [`CompactError::Future`] if `through` is not committed yet, [`CompactError::Unavailable`].
    pub async fn compact(&self, through: Revision) -> Result<CompactReport, CompactError> {
        compact(&*self.shared.backend, &self.shared.feed, through).await
    }

    /// The highest revision whose log entry may be gone: the oldest one that can be named. Does no I/O.
    pub fn compacted(&self) -> Revision {
        self.shared.feed.progress().compacted
    }

    /// Closes the store for all handles: takes no more mutations, carries out those that are queued, ends the
    /// change streams, and releases the database. Trouble in doing so is logged; what was acknowledged is safe.
    pub async fn close(self) {
        self.shared.closing.send_replace(true);
        let tasks = std::mem::take(
            &mut *self
                .shared
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for task in tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
        // Another handle may have begun to close, and taken the tasks to wait for.
        let _ = self
            .shared
            .feed
            .watch()
            .wait_for(|progress| progress.closed)
            .await;
        if let Err(error) = self.shared.backend.close().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the database did not close cleanly");
        }
    }
}
