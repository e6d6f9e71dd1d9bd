//! What the store does when its database fails: refuse clearly, find out, recover.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, future::join_all};

use super::create;
use crate::{
    At, Backend, BackendError, Batch, Change, CommitError, Head, Key, ListQuery, MemoryBackend,
    Page, PageLimit, Problem, Revision, Snapshot, Store, StoreOptions, TransactError,
};

/// How one call goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Nothing is written, and that is known.
    Refuse,
    /// Nothing is written, but that is not known.
    LoseSilently,
    /// It is written, but that is not known.
    CommitSilently,
}

/// Fails as told, and is a memory backend otherwise.
#[derive(Clone, Default)]
struct Faulty {
    inner: MemoryBackend,
    transact: Arc<Mutex<VecDeque<Fault>>>,
    /// A batch that has an object of this name is refused.
    poison: Option<&'static str>,
    /// So many attempts to find out fail.
    recover: Arc<Mutex<u32>>,
}

impl Faulty {
    fn with(faults: impl IntoIterator<Item = Fault>, recover: u32) -> Self {
        Self {
            transact: Arc::new(Mutex::new(faults.into_iter().collect())),
            recover: Arc::new(Mutex::new(recover)),
            ..Self::default()
        }
    }
}

fn trouble() -> BackendError {
    BackendError::new(Problem::Io, "the disk is on fire")
}

#[async_trait]
impl Backend for Faulty {
    async fn head(&self) -> Result<Head, BackendError> {
        self.inner.head().await
    }

    async fn transact(&self, batch: &mut Batch) -> Result<(), TransactError> {
        let is_poisoned = |key: &&Key| Some(&*key.name) == self.poison;
        if batch.keys().iter().any(is_poisoned) {
            let what = "I do not like this row";
            return Err(TransactError::Failed(BackendError::new(
                Problem::Other,
                what,
            )));
        }
        let fault = self.transact.lock().unwrap().pop_front();
        match fault {
            None => self.inner.transact(batch).await,
            Some(Fault::Refuse) => Err(TransactError::Failed(trouble())),
            Some(Fault::LoseSilently) => {
                let head = self.inner.head().await.map_err(TransactError::Failed)?;
                batch.plan(head.revision, []);
                Err(TransactError::Unknown(trouble()))
            }
            Some(Fault::CommitSilently) => {
                self.inner.transact(batch).await?;
                Err(TransactError::Unknown(trouble()))
            }
        }
    }

    async fn recover(&self) -> Result<Head, BackendError> {
        {
            let mut left = self.recover.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return Err(trouble());
            }
        }
        self.inner.recover().await
    }

    async fn load(&self) -> Result<Snapshot, BackendError> {
        self.inner.load().await
    }

    async fn log(
        &self,
        after: Revision,
        through: Revision,
        limit: PageLimit,
    ) -> Result<At<Arc<[Change]>>, BackendError> {
        self.inner.log(after, through, limit).await
    }

    async fn list_at(&self, query: ListQuery<'_>) -> Result<At<Page>, BackendError> {
        self.inner.list_at(query).await
    }

    async fn log_bytes(&self) -> Result<u64, BackendError> {
        self.inner.log_bytes().await
    }

    async fn mark_compacted(&self, through: Revision) -> Result<(), BackendError> {
        self.inner.mark_compacted(through).await
    }

    async fn trim(&self, limit: u64) -> Result<u64, BackendError> {
        self.inner.trim(limit).await
    }

    async fn upkeep(&self, idle: bool) -> Result<(), BackendError> {
        self.inner.upkeep(idle).await
    }

    async fn close(&self) -> Result<(), BackendError> {
        self.inner.close().await
    }
}

async fn store(faulty: &Faulty) -> Store {
    let options = StoreOptions {
        settle_patience: Duration::from_secs(5),
        ..StoreOptions::default()
    };
    Store::open(faulty.clone(), options).await.unwrap()
}

#[tokio::test]
async fn a_refused_transaction_is_told_to_all_and_the_next_one_works() {
    let store = store(&Faulty::with([Fault::Refuse], 0)).await;
    let answers = join_all(["a", "b"].map(|name| store.commit(create(name, "{}")))).await;
    for answer in answers {
        let Err(CommitError::Unavailable(error)) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(error.problem(), Problem::Io);
    }
    assert_eq!(
        store.commit(create("a", "{}")).await.unwrap(),
        Revision::new(1)
    );
}

#[tokio::test]
async fn a_write_that_is_refused_fails_alone() {
    let faulty = Faulty {
        poison: Some("d"),
        ..Faulty::default()
    };
    let store = store(&faulty).await;
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let answers = join_all(names.map(|name| store.commit(create(name, "{}")))).await;
    let revisions: Vec<Option<u64>> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().map(|revision| revision.get()))
        .collect();
    let expected = [Some(1), Some(2), Some(3), None, Some(4), Some(5), Some(6)];
    assert_eq!(revisions, expected);
    assert!(store.trouble().is_none(), "the database takes writes");
}

#[tokio::test(start_paused = true)]
async fn trouble_is_told_until_the_database_takes_writes_again() {
    let store = store(&Faulty::with([Fault::Refuse, Fault::Refuse], 2)).await;
    assert!(store.trouble().is_none());
    store.commit(create("a", "{}")).await.unwrap_err();
    assert_eq!(store.trouble().unwrap().problem(), Problem::Io);
    // Two probes fail, the third works, though nobody writes.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(store.trouble().is_some());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(store.trouble().is_none());
    store.commit(create("a", "{}")).await.unwrap_err();
    assert!(store.trouble().is_some());
    store.commit(create("a", "{}")).await.unwrap();
    assert!(store.trouble().is_none());
}

#[tokio::test(start_paused = true)]
async fn doubt_ends_with_the_truth() {
    let faults = [
        Fault::CommitSilently,
        Fault::LoseSilently,
        Fault::CommitSilently,
    ];
    let store = store(&Faulty::with(faults, 3)).await;
    let mut told = store.changes(Revision::ZERO).await.unwrap();
    assert_eq!(
        store.commit(create("a", "{}")).await.unwrap(),
        Revision::new(1)
    );
    let lost = store.commit(create("b", "{}")).await;
    assert!(matches!(lost, Err(CommitError::Unavailable(_))), "{lost:?}");
    assert_eq!(
        store.commit(create("c", "{}")).await.unwrap(),
        Revision::new(2)
    );
    let mut names = Vec::new();
    while names.len() < 2 {
        let batch = told.next().await.unwrap().unwrap();
        names.extend(batch.iter().map(|change| change.key.name.to_string()));
    }
    assert_eq!(names, ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn patience_ends_but_the_truth_is_still_published() {
    let faulty = Faulty::with([Fault::CommitSilently], 30);
    let store = store(&faulty).await;
    let mut told = store.changes(Revision::ZERO).await.unwrap();
    let start = tokio::time::Instant::now();
    let doubtful = store.commit(create("a", "{}")).await;
    assert!(
        matches!(doubtful, Err(CommitError::UnknownOutcome(_))),
        "{doubtful:?}"
    );
    let waited = start.elapsed();
    assert!((5..=7).contains(&waited.as_secs()), "{waited:?}");
    // Meanwhile others are turned away rather than left hanging.
    let refused = store.commit(create("b", "{}")).await;
    assert!(
        matches!(refused, Err(CommitError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(store.committed(), Revision::ZERO);
    let batch = tokio::time::timeout(Duration::from_secs(60), told.next())
        .await
        .unwrap();
    let batch = batch.unwrap().unwrap();
    assert_eq!(&*batch[0].key.name, "a");
    assert_eq!(store.committed(), Revision::new(1));
    assert_eq!(
        store.commit(create("b", "{}")).await.unwrap(),
        Revision::new(2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_in_doubt_can_be_closed() {
    let store = store(&Faulty::with([Fault::LoseSilently], u32::MAX)).await;
    let committing = tokio::spawn({
        let store = store.clone();
        async move { store.commit(create("a", "{}")).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    store.close().await;
    let doubtful = committing.await.unwrap();
    assert!(
        matches!(doubtful, Err(CommitError::UnknownOutcome(_))),
        "{doubtful:?}"
    );
}
