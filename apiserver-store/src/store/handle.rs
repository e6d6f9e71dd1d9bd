//! The handle that everyone holds.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    ChangeStream, CommitError, CompactError, CompactReport, OpenError, ReadError, StoreOptions,
    compactor::{Compactor, compact},
    feed::Feed,
    follow::Follower,
    job::Job,
    latest::Latest,
    writer::{Trouble, Writer},
};
use crate::{
    Backend, BackendError, Head, ListQuery, Mutation, Page, Revision, Seals, Snapshot, seal::Opened,
};

/// A revisioned object store. Clones are handles to the same store.
///
/// Must be used within a tokio runtime: [`Store::open`] starts the writer and the compactor on it. When the
/// last handle is dropped they finish what is queued and stop; [`Store::close`] also waits for that.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    /// Gives values as they are.
    backend: Arc<dyn Backend>,
    /// Gives values as they are stored.
    sealed: Arc<dyn Backend>,
    seals: Seals,
    feed: Arc<Feed>,
    latest: Latest,
    nudge: Arc<Notify>,
    queue: mpsc::Sender<Job>,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    trouble: Trouble,
    blind: Trouble,
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
        Self::open_any(Arc::new(backend), options).await
    }

    /// As [`Store::open`], for a backend that was chosen at run time; see [`open_backend`](crate::open_backend).
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_any(
        sealed: Arc<dyn Backend>,
        options: StoreOptions,
    ) -> Result<Self, OpenError> {
        let seals = options.seals.clone();
        let backend: Arc<dyn Backend> = Arc::new(Opened::new(sealed.clone(), seals.clone()));
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
        let (trouble, blind) = (Trouble::default(), Trouble::default());
        let nudge = Arc::new(Notify::new());
        let writer = Writer {
            backend: sealed.clone(),
            opened: backend.clone(),
            feed: feed.clone(),
            queue: queued,
            closing: closing.subscribe(),
            options,
            trouble: trouble.clone(),
            nudge: nudge.clone(),
        };
        let mut tasks = vec![tokio::spawn(writer.run()), tokio::spawn(compactor.run())];
        let sharing = backend.sharing();
        if let Some(sharing) = sharing {
            let follower = Follower {
                backend: backend.clone(),
                feed: feed.clone(),
                closing: closing.subscribe(),
                sharing,
                nudge: nudge.clone(),
                blind: blind.clone(),
            };
            tasks.push(tokio::spawn(follower.run()));
        }
        let shared = Shared {
            backend,
            sealed,
            seals,
            feed,
            latest: Latest::default(),
            nudge,
            queue,
            closing,
            tasks: Mutex::new(tasks),
            trouble,
            blind,
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
        if !mutation.key.is_storable() {
            return Err(CommitError::InvalidKey(mutation.key));
        }
        let (reply, answer) = oneshot::channel();
        let job = Job::new(mutation, &self.shared.seals, reply)?;
        let queued = self.shared.queue.send(job).await;
        if queued.is_err() {
            return Err(CommitError::Unavailable(BackendError::closed()));
        }
        // A writer that goes away without an answer may have been in the middle of it.
        answer
            .await
            .unwrap_or_else(|_| Err(CommitError::UnknownOutcome(BackendError::closed())))
    }

    /// How this store seals values: to replace the rules, to ask plugins for their health.
    pub fn seals(&self) -> &Seals {
        &self.shared.seals
    }

    /// The backend with values as they are stored.
    pub(super) fn sealed(&self) -> &dyn Backend {
        &*self.shared.sealed
    }

    /// The highest revision known to be durable in this process. Never falls. Does no I/O.
    pub fn committed(&self) -> Revision {
        self.shared.feed.progress().committed
    }

    /// Why the database takes no writes: the last failure, until a write or a probe each second after it has worked.
    /// Or, if it is shared, why it cannot be seen what other processes commit. Does no I/O.
    pub fn trouble(&self) -> Option<BackendError> {
        let trouble = self.shared.trouble.borrow().clone();
        trouble.or_else(|| self.shared.blind.borrow().clone())
    }

    /// A revision that is at least the highest one that was committed, by whichever process, when this was called:
    /// who waits until [`Store::committed`] has reached it, which happens by itself, reads consistently.
    ///
    /// Asks a database that is shared, once for all who wait to ask, and does no I/O on one that is not.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    pub async fn latest(&self) -> Result<Revision, ReadError> {
        let Shared {
            backend,
            feed,
            nudge,
            ..
        } = &*self.shared;
        if backend.sharing().is_none() {
            return Ok(self.committed());
        }
        let head = self.shared.latest.ask(|| backend.head()).await?;
        if head.revision != feed.progress().committed {
            nudge.notify_one();
        }
        Ok(head.revision)
    }

    /// Which run of revisions this is: rises when a backup is restored, and when the database is found to have lost
    /// acknowledged writes. Does no I/O.
    pub fn epoch(&self) -> u64 {
        self.shared.feed.progress().epoch
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
