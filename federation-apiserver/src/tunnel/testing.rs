//! What tests of this folder start with.

use std::sync::Arc;

use apiserver::Certificates;
use apiserver::ServerHandle;
use apiserver::local::LocalClient;
use apiserver::seams::Seams;
use apiserver_store::{MemoryBackend, Store, StoreOptions};
use federation_tunnel::identity::{Authority, MemoryDirectory, MemoryTokens};
use federation_tunnel::{HubConfig, Tunnels};
use tempfile::TempDir;

use crate::hub::hub_builder;

/// A hub in memory with these seams, and the tunnel's own client of it. Its keys are in the directory.
pub(super) async fn hub(seams: Seams) -> (ServerHandle, LocalClient, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let pki = Certificates::open(directory.path(), &[], &Seams::system()).unwrap();
    let store = Store::open(MemoryBackend::default(), StoreOptions::default());
    let server = hub_builder(store.await.unwrap(), pki)
        .seams(seams)
        .listen("127.0.0.1:0".parse().unwrap())
        .start()
        .await
        .unwrap();
    server.ready().await;
    let client = LocalClient::new(server.api().clone(), "system:koinon:tunnel");
    (server, client, directory)
}

/// Tunnels of a hub that knows no cluster.
pub(super) fn tunnels() -> Tunnels {
    let seams = federation_tunnel::Seams::system();
    Tunnels::new(
        HubConfig::default(),
        Arc::new(Authority::generate(&seams).unwrap()),
        Arc::new(MemoryDirectory::default()),
        Arc::new(MemoryTokens::default()),
        &seams,
    )
    .unwrap()
}
