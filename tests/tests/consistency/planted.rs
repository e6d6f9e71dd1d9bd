//! The checker against servers that really are broken: it must not believe them.
//!
//! The servers are our API server in this process; what is broken is a wrapper around their backend.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apiserver::seams::Seams;
use apiserver::{Certificates, Server, ServerHandle};
use apiserver_store::{
    At, Backend, BackendError, Batch, Change, ChangeKind, Doubt, Head, ListQuery, MemoryBackend,
    Page, PageLimit, Record, Records, Revision, Sharing, Snapshot, Store, StoreOptions,
    TransactError,
};
use async_trait::async_trait;
use federation_tests::Moments;
use federation_tests::history::{Kind, check};
use federation_tests::upstream::free_port;
use tempfile::TempDir;

use crate::run::{Crowd, tell};

/// So many writes at two servers that one which forgets the other has been asked for the latest right after some.
const ENOUGH: usize = 300;
/// How long clients work between two events.
const WHILE: Duration = Duration::from_millis(1500);
/// A server that shares looks so often at what others wrote, unless somebody asks for the latest.
const LOOK: Duration = Duration::from_millis(500);

/// Memory that several servers share, and that may acknowledge what it does not keep.
#[derive(Clone, Default)]
pub(crate) struct Planted {
    inner: MemoryBackend,
    /// The next write of the clients' objects is acknowledged without being kept.
    armed: Arc<AtomicBool>,
    /// Whether that has happened.
    bitten: Arc<AtomicBool>,
    /// Says that nobody else writes here. From the start on, only if so: who opens a store that others fill waits for them.
    believes_to_be_alone: Arc<AtomicBool>,
}

impl Planted {
    fn bites(&self, batch: &Batch) -> bool {
        let theirs = |key: &&apiserver_store::Key| &*key.namespace == "history";
        batch.keys().iter().any(theirs) && self.armed.swap(false, Ordering::AcqRel)
    }

    async fn current(&self, batch: &Batch) -> Result<(Revision, Vec<Record>), BackendError> {
        let snapshot = self.inner.load().await?;
        let revision = snapshot.revision;
        let mut records = snapshot.collect().await?;
        let keys = batch.keys();
        records.retain(|record| keys.contains(&record.key));
        Ok((revision, records))
    }
}

#[async_trait]
impl Backend for Planted {
    async fn head(&self) -> Result<Head, BackendError> {
        self.inner.head().await
    }

    async fn transact(&self, batch: &mut Batch) -> Result<(), TransactError> {
        if !self.bites(batch) {
            return self.inner.transact(batch).await;
        }
        let current = self.current(batch).await.map_err(TransactError::Failed)?;
        let changes = batch.plan(current.0, current.1);
        // Whoever deletes is not told a revision: only that of something that was put is sure to be seen twice.
        let told = |change: &Change| {
            &*change.key.namespace == "history" && change.kind != ChangeKind::Deleted
        };
        if !changes.iter().any(told) {
            self.armed.store(true, Ordering::Release);
            return self.inner.transact(batch).await;
        }
        self.bitten.store(true, Ordering::Release);
        Ok(())
    }

    async fn recover(&self) -> Result<Head, BackendError> {
        self.inner.recover().await
    }

    async fn wrote(&self, doubt: Doubt<'_>) -> Result<Option<bool>, BackendError> {
        self.inner.wrote(doubt).await
    }

    fn sharing(&self) -> Option<Sharing> {
        let sharing = Sharing {
            soonest: LOOK,
            latest: LOOK,
        };
        let alone = self.believes_to_be_alone.load(Ordering::Acquire);
        (!alone).then_some(sharing)
    }

    async fn hint(&self) {
        self.inner.hint().await
    }

    async fn jump(&self, told: Revision) -> Result<Head, BackendError> {
        self.inner.jump(told).await
    }

    async fn fill(&self, head: Head, records: Records) -> Result<bool, BackendError> {
        self.inner.fill(head, records).await
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
        Ok(())
    }
}

/// A server in this process.
pub(crate) struct Hub {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) handle: ServerHandle,
}

async fn serve(directory: &Path, name: &str, port: u16, backend: Planted) -> Hub {
    serve_at(directory, name, port, backend, Seams::system()).await
}

/// Starts one with seams of its own.
pub(crate) async fn serve_at(
    directory: &Path,
    name: &str,
    port: u16,
    backend: Planted,
    seams: Seams,
) -> Hub {
    let store = Store::open(backend, StoreOptions::default())
        .await
        .expect("memory opens");
    let certificates = Certificates::open(&directory.join("pki"), &[], &seams);
    let handle = Server::builder(store, certificates.expect("certificates can be made"))
        .seams(seams)
        .listen(SocketAddr::from(([127, 0, 0, 1], port)))
        .shutdown_times(Duration::ZERO, Duration::ZERO)
        .start()
        .await
        .expect("a server starts");
    handle.ready().await;
    let kubeconfig = directory.join(name);
    let written = handle.kubeconfig(name).expect("an identity");
    written.write(&kubeconfig).expect("a file of our own");
    Hub { kubeconfig, handle }
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// The kinds of violations that are found, after they were printed.
async fn found(crowd: Crowd) -> Vec<Kind> {
    let book = crowd.finish().await;
    let Err(violations) = check(&book.history) else {
        return Vec::new();
    };
    println!("{}", tell(&violations));
    violations.iter().map(|violation| violation.kind).collect()
}

/// A server tells of a write, to the one who wrote and to watchers, before it is committed, and dies in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_before_the_commit_is_found() {
    let directory = directory();
    // One that shares notices the loss by itself, and leaves the numbers behind.
    let backend = Planted {
        believes_to_be_alone: Arc::new(AtomicBool::new(true)),
        ..Planted::default()
    };
    let port = free_port();
    let hub = serve(directory.path(), "hub", port, backend.clone()).await;
    let moments = Moments::start().1;
    let crowd = Crowd::start(std::slice::from_ref(&hub.kubeconfig), &moments).await;
    tokio::time::sleep(WHILE).await;
    backend.armed.store(true, Ordering::Release);
    while !backend.bitten.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hub.handle.shutdown().await;
    let again = serve(directory.path(), "hub", port, backend).await;
    tokio::time::sleep(WHILE).await;
    let kinds = found(crowd).await;
    let telling = |kind: &Kind| matches!(kind, Kind::Lost | Kind::Reused | Kind::Stale);
    assert!(kinds.iter().any(telling), "{kinds:?}");
    again.handle.shutdown().await;
}

/// One of two servers forgets that there is another, and answers with the latest that it has seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_ask_for_the_latest_is_found() {
    let kinds = two_servers(true).await;
    assert!(kinds.contains(&Kind::Stale), "{kinds:?}");
}

/// The same without the fault, so that it is the fault that was found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_do_ask_are_believed() {
    let kinds = two_servers(false).await;
    assert_eq!(kinds, []);
}

async fn two_servers(one_forgets: bool) -> Vec<Kind> {
    let directory = directory();
    let backend = Planted::default();
    let forgetful = Planted {
        believes_to_be_alone: Arc::default(),
        ..backend.clone()
    };
    let believes = forgetful.believes_to_be_alone.clone();
    let here = serve(directory.path(), "here", free_port(), backend).await;
    let there = serve(directory.path(), "there", free_port(), forgetful).await;
    believes.store(one_forgets, Ordering::Release);
    let kubeconfigs = [here.kubeconfig.clone(), there.kubeconfig.clone()];
    let crowd = Crowd::start(&kubeconfigs, &Moments::start().1).await;
    crowd.goes_on(ENOUGH).await;
    let kinds = found(crowd).await;
    here.handle.shutdown().await;
    there.handle.shutdown().await;
    kinds
}
