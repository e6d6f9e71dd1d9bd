//! `fedctl up`: a hub and its controller in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use apiserver::seams::Seams;
use apiserver::{Certificates, ServerHandle};
use apiserver_store::{SqliteBackend, SqliteOptions, Store, StoreOptions};
use federation_apiserver::{Encryption, hub_builder};
use federation_controller::{ControllerConfig, Delays, RunError};
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::layout::Layout;
use super::reporter::Reporter;
use super::{logs, node, stop};
use crate::cli::Up;

/// Here a minute is long: a member that comes back is compared after a second, one that is gone is marked after ten.
const DELAYS: Delays = Delays {
    available: Duration::from_secs(1),
    unavailable: Duration::from_secs(10),
};

/// A hub with its controller.
pub(crate) struct HubProcess {
    handle: ServerHandle,
    hub_client: Client,
    controller: JoinHandle<Result<(), RunError>>,
    stop_controller: CancellationToken,
}

impl HubProcess {
    /// Starts both on a directory, writes the administrator's kubeconfig, and waits until the hub is ready.
    pub(crate) async fn start(
        directory: &Path,
        listener: TcpListener,
        kubeconfig: &Path,
    ) -> anyhow::Result<Self> {
        let backend = SqliteBackend::open(SqliteOptions::new(directory.join("db")))
            .await
            .with_context(|| node::cannot_open("the hub", directory))?;
        let encryption = Encryption::own(directory, false)
            .await
            .context("encryption at rest cannot be set up")?;
        let options = StoreOptions {
            seals: encryption.seals(),
            ..StoreOptions::default()
        };
        let store = Store::open(backend, options)
            .await
            .with_context(|| node::cannot_open("the hub", directory))?;
        let certificates = Certificates::open(&directory.join("pki"), &[], &Seams::system())
            .context("cannot make the certificates of the hub")?;
        let mut builder = hub_builder(store, certificates).listener(listener);
        for check in Arc::new(encryption).checks() {
            builder = builder.check(check);
        }
        let handle = builder
            .start()
            .await
            .with_context(|| node::cannot_start("the hub", directory))?;
        let hub_client = node::write_kubeconfig(&handle, "koinon", kubeconfig).await?;
        handle.ready().await;
        let config = ControllerConfig {
            // The database's lock already rules out a second process, and a crash must not cost a lease.
            leader_elect: false,
            delays: Some(DELAYS),
            ..ControllerConfig::default()
        };
        let stop_controller = CancellationToken::new();
        let hub_config = node::client_config(kubeconfig).await?;
        let controller = tokio::spawn(federation_controller::run(
            config,
            hub_config,
            stop_controller.clone(),
        ));
        Ok(Self {
            handle,
            hub_client,
            controller,
            stop_controller,
        })
    }

    /// Address of the hub's API.
    pub(crate) fn url(&self) -> String {
        self.handle.url()
    }

    /// A client of its administrator.
    pub(crate) fn hub_client(&self) -> &Client {
        &self.hub_client
    }

    /// Resolves when the controller ends though nobody asked it to.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match (&mut self.controller).await {
            Ok(Ok(())) => anyhow::anyhow!("the controller ended"),
            Ok(Err(error)) => anyhow::Error::new(error).context("the controller failed"),
            Err(panic) => anyhow::Error::new(panic).context("the controller crashed"),
        }
    }

    /// Ends the controller, then the hub.
    pub(crate) async fn stop(self) {
        self.stop_controller.cancel();
        // Whatever it ended with, it does not run any more.
        let _ = self.controller.await;
        self.handle.shutdown().await;
    }
}

/// Runs a hub until Ctrl-C.
pub(crate) async fn up(args: &Up) -> anyhow::Result<()> {
    let layout = Layout::open(&args.data_dir)?;
    logs::start(None)?;
    let reporter = Reporter::new();
    let stop = stop::on_signal().context("cannot listen for signals")?;
    let listener = if args.listen.port() == 0 {
        layout.listeners(&["hub"]).await?.pop().context("no port")?
    } else {
        TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}", args.listen))?
    };
    let (directory, kubeconfig) = (layout.hub(), layout.kubeconfig());
    let mut hub = HubProcess::start(&directory, listener, &kubeconfig).await?;
    reporter.line(&format!("hub serves {}", hub.url()));
    reporter.hint(&format!("export KUBECONFIG={}", kubeconfig.display()));
    reporter.hint("fedctl join NAME --cluster-kubeconfig FILE   registers a member cluster");
    reporter.ready();
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        error = hub.failed() => Err(error),
    };
    if ended.is_ok() {
        hub.stop().await;
    }
    ended
}
