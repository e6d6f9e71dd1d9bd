//! `fedctl up`: a hub and its controller in this process.

use std::path::Path;

use anyhow::Context;
use apiserver::seams::Seams;
use apiserver::{Certificates, Server, ServerHandle};
use apiserver_store::{SqliteBackend, SqliteOptions, Store, StoreOptions};
use kube::Client;
use tokio::net::TcpListener;

use super::node;
use crate::cli::Up;

/// TEMPORARY
pub(crate) struct HubProcess {
    handle: ServerHandle,
    hub_client: Client,
}

impl HubProcess {
    pub(crate) async fn start(
        directory: &Path,
        listener: TcpListener,
        kubeconfig: &Path,
    ) -> anyhow::Result<Self> {
        let backend = SqliteBackend::open(SqliteOptions::new(directory.join("db")))
            .await
            .context("cannot open the database of the hub")?;
        let store = Store::open(backend, StoreOptions::default()).await?;
        let certificates = Certificates::open(&directory.join("pki"), &[], &Seams::system())?;
        let handle = Server::builder(store, certificates)
            .listener(listener)
            .start()
            .await?;
        let hub_client = node::write_kubeconfig(&handle, "koinon", kubeconfig).await?;
        handle.ready().await;
        Ok(Self { handle, hub_client })
    }
    pub(crate) fn url(&self) -> String {
        self.handle.url()
    }
    pub(crate) fn hub_client(&self) -> &Client {
        &self.hub_client
    }
    pub(crate) async fn stop(self) {
        self.handle.shutdown().await;
    }
}

pub(crate) async fn up(_args: &Up) -> anyhow::Result<()> {
    anyhow::bail!("later")
}
