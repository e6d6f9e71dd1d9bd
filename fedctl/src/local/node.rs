//! A playground member: an API server of the library, on SQLite, in this process.

use std::path::{Path, PathBuf};

use anyhow::Context;
use apiserver::seams::Seams;
use apiserver::{Certificates, Server, ServerHandle};
use apiserver_store::{SqliteBackend, SqliteOptions, Store, StoreOptions};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::net::TcpListener;

/// A running member.
pub(crate) struct Node {
    /// Its name on the hub.
    pub(crate) name: String,
    /// The server.
    pub(crate) handle: ServerHandle,
    /// Its administrator's kubeconfig.
    pub(crate) kubeconfig: PathBuf,
    /// A client of its administrator.
    pub(crate) member_client: Client,
}

impl Node {
    /// Starts a member on its directory and waits until it is ready.
    pub(crate) async fn start(
        name: &str,
        directory: &Path,
        listener: TcpListener,
        kubeconfig: &Path,
    ) -> anyhow::Result<Self> {
        let backend = SqliteBackend::open(SqliteOptions::new(directory.join("db")))
            .await
            .with_context(|| cannot_open(name, directory))?;
        let store = Store::open(backend, StoreOptions::default())
            .await
            .with_context(|| cannot_open(name, directory))?;
        let certificates = Certificates::open(&directory.join("pki"), &[], &Seams::system())
            .with_context(|| format!("cannot make the certificates of {name}"))?;
        let handle = Server::builder(store, certificates)
            .listener(listener)
            .start()
            .await
            .with_context(|| cannot_start(name, directory))?;
        let member_client = write_kubeconfig(&handle, name, kubeconfig).await?;
        handle.ready().await;
        Ok(Self {
            name: name.to_owned(),
            handle,
            kubeconfig: kubeconfig.to_owned(),
            member_client,
        })
    }
}

/// What to say, and to do, when a server's database cannot be opened.
pub(crate) fn cannot_open(name: &str, directory: &Path) -> String {
    format!(
        "cannot open the database of {name} in {} (if it is damaged: put a copy back, or move the whole data directory \
         away to start anew)",
        directory.join("db").display()
    )
}

/// What to say when a server does not start on its directory.
pub(crate) fn cannot_start(name: &str, directory: &Path) -> String {
    format!("cannot start {name} on {}", directory.display())
}

/// Writes the administrator's kubeconfig of a server, and makes a client of it.
pub(crate) async fn write_kubeconfig(
    handle: &ServerHandle,
    name: &str,
    path: &Path,
) -> anyhow::Result<Client> {
    let kubeconfig = handle
        .kubeconfig(name)
        .with_context(|| format!("cannot make a client certificate for {name}"))?;
    kubeconfig
        .write(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let config = client_config(path).await?;
    Client::try_from(config).with_context(|| format!("cannot make a client for {name}"))
}

/// The client configuration that a kubeconfig file's current context describes.
pub(crate) async fn client_config(path: &Path) -> anyhow::Result<Config> {
    let kubeconfig =
        Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .with_context(|| format!("cannot use {}", path.display()))
}
