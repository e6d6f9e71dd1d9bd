//! Two servers that forget their history when a script says so.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use apiserver::seams::Seams;
use apiserver::{Certificates, ServerHandle};
use apiserver_store::{SqliteBackend, SqliteOptions, Store, StoreOptions};
use federation_apiserver::hub_builder;
use futures::FutureExt;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::side::Side;
use crate::upstream::{ControlPlane, Options};

/// Upstream's server, and a hub in this process, because only who has its store can tell it to forget.
pub struct Forgetful {
    /// Upstream's.
    pub upstream: Side,
    /// Ours.
    pub ours: Side,
    hub: Arc<tokio::sync::Mutex<Hub>>,
}

impl Forgetful {
    /// Starts both. `None`: a program is missing, and the scripts are to be skipped.
    ///
    /// # Errors
    /// Ours does not start.
    ///
    /// # Panics
    /// Upstream's does not get ready.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let Some(plane) = spawn_blocking(|| ControlPlane::start(Options::default())).await? else {
            return Ok(None);
        };
        let upstream = Side::connect(&plane.kubeconfig()).await?;
        let plane = Arc::new(Mutex::new(plane));
        let upstream = upstream.forgetting(move || {
            let plane = plane.clone();
            let forget = move || plane.lock().expect("no panic before").forget_history();
            spawn_blocking(forget)
                .map(|done| done.expect("upstream forgets"))
                .boxed()
        });
        let hub = Hub::start().await?;
        let kubeconfig = hub.directory.path().join("kubeconfig");
        hub.running()?.kubeconfig("ours")?.write(&kubeconfig)?;
        let hub = Arc::new(tokio::sync::Mutex::new(hub));
        let kept = hub.clone();
        let ours = Side::connect(&kubeconfig).await?.forgetting(move || {
            let (hub, runtime) = (hub.clone(), Handle::current());
            // On a thread of its own, because the compiler does not see that the future may move between threads.
            spawn_blocking(move || runtime.block_on(async { hub.lock().await.forget().await }))
                .map(|done| done.expect("no panic").expect("ours forgets"))
                .boxed()
        });
        Ok(Some(Self {
            upstream,
            ours,
            hub: kept,
        }))
    }

    /// Ends ours in order; upstream's ends when this is dropped.
    pub async fn stop(self) {
        if let Some(server) = self.hub.lock().await.server.take() {
            server.shutdown().await;
        }
    }
}

/// A hub on SQLite.
struct Hub {
    directory: TempDir,
    server: Option<ServerHandle>,
}

impl Hub {
    async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let store = open_store(directory.path()).await?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Some(serve(directory.path(), store, any).await?);
        Ok(Self { directory, server })
    }

    fn running(&self) -> anyhow::Result<&ServerHandle> {
        self.server.as_ref().context("a hub that runs")
    }

    /// Starts anew on a compacted store: the server itself remembers what it has seen.
    async fn forget(&mut self) -> anyhow::Result<()> {
        let server = self.server.take().context("a hub that runs")?;
        let address = server.address();
        server.shutdown().await;
        let store = open_store(self.directory.path()).await?;
        store.compact(store.committed()).await?;
        self.server = Some(serve(self.directory.path(), store, address).await?);
        Ok(())
    }
}

async fn open_store(directory: &Path) -> anyhow::Result<Store> {
    let backend = SqliteBackend::open(SqliteOptions::new(directory.join("store"))).await?;
    Ok(Store::open(backend, StoreOptions::default()).await?)
}

async fn serve(
    directory: &Path,
    store: Store,
    address: SocketAddr,
) -> anyhow::Result<ServerHandle> {
    let certificates = Certificates::open(&directory.join("pki"), &[], &Seams::system())?;
    let server = hub_builder(store, certificates)
        .listen(address)
        .start()
        .await?;
    server.ready().await;
    Ok(server)
}
