//! `fedctl up`: a hub and its controller in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use apiserver::seams::Seams;
use apiserver::{Certificates, ServerHandle};
use apiserver_store::{SqliteBackend, SqliteOptions, Store, StoreOptions};
use federation_apiserver::{
    Encryption, HubTunnels, TunnelEndpoint, TunnelOptions, hub_builder_with,
};
use federation_controller::{ControllerConfig, Delays, RunError};
use federation_tunnel::HostPort;
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::layout::Layout;
use super::reporter::Reporter;
use super::tunnel::LocalTunnels;
use super::{logs, node, stop};
use crate::cli::Up;

/// Here a minute is long: a member that comes back is compared after a second, one that is gone is marked after ten.
const DELAYS: Delays = Delays {
    available: Duration::from_secs(1),
    unavailable: Duration::from_secs(10),
};
/// At the end, so long what goes through a tunnel may still take.
const GRACE: Duration = Duration::from_secs(5);

/// Where a hub listens.
pub(crate) struct Ports {
    /// For its API.
    pub(crate) hub: TcpListener,
    /// For agents.
    pub(crate) tunnel: TcpListener,
    /// What agents are told instead of the listening address.
    pub(crate) advertise: Vec<HostPort>,
}

/// A hub with its controller.
pub(crate) struct HubProcess {
    handle: ServerHandle,
    tunnel: TunnelEndpoint,
    hub_client: Client,
    controller: JoinHandle<Result<(), RunError>>,
    stop_controller: CancellationToken,
}

impl HubProcess {
    /// Starts both on a directory, writes the administrator's kubeconfig, and waits until the hub is ready.
    pub(crate) async fn start(
        directory: &Path,
        ports: Ports,
        kubeconfig: &Path,
    ) -> anyhow::Result<Self> {
        let (handle, tunnel) = serve(directory, ports).await?;
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
        let controller = tokio::spawn(federation_controller::run_beside(
            config,
            hub_config,
            stop_controller.clone(),
            Arc::new(LocalTunnels::new(tunnel.tunnels().clone())),
        ));
        Ok(Self {
            handle,
            tunnel,
            hub_client,
            controller,
            stop_controller,
        })
    }

    /// Address of the hub's API.
    pub(crate) fn url(&self) -> String {
        self.handle.url()
    }

    /// Address at which agents connect.
    pub(crate) fn tunnel_address(&self) -> SocketAddr {
        self.tunnel.address()
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

    /// Ends the controller, then the tunnel and the hub: what members still send may take `GRACE`.
    pub(crate) async fn stop(self) {
        self.stop_controller.cancel();
        // Whatever it ended with, it does not run any more.
        let _ = self.controller.await;
        let tunnel = self.tunnel.shutdown(Duration::ZERO, GRACE);
        tokio::join!(tunnel, self.handle.shutdown());
    }
}

/// Starts the server and the tunnel of a hub on a directory.
async fn serve(directory: &Path, ports: Ports) -> anyhow::Result<(ServerHandle, TunnelEndpoint)> {
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
    let hub_tunnels = HubTunnels::default();
    let mut builder =
        hub_builder_with(store, certificates, hub_tunnels.clone()).listener(ports.hub);
    for check in Arc::new(encryption).checks() {
        builder = builder.check(check);
    }
    let handle = builder
        .start()
        .await
        .with_context(|| node::cannot_start("the hub", directory))?;
    let options = TunnelOptions {
        advertise: ports.advertise,
        ..TunnelOptions::new("koinon")
    };
    let tunnel = TunnelEndpoint::start(handle.api(), &hub_tunnels, ports.tunnel, options)
        .await
        .context("cannot open the tunnel of the hub")?;
    Ok((handle, tunnel))
}

/// Runs a hub until Ctrl-C.
pub(crate) async fn up(args: &Up) -> anyhow::Result<()> {
    let layout = Layout::open(&args.data_dir)?;
    logs::start(None)?;
    let reporter = Reporter::new();
    let stop = stop::on_signal().context("cannot listen for signals")?;
    let ports = Ports {
        hub: listen(&layout, "hub", args.listen).await?,
        tunnel: listen(&layout, "tunnel", args.tunnel_listen).await?,
        advertise: args.tunnel_advertise.clone(),
    };
    let (directory, kubeconfig) = (layout.hub(), layout.kubeconfig());
    let mut hub = HubProcess::start(&directory, ports, &kubeconfig).await?;
    reporter.line(&format!("hub serves {}", hub.url()));
    reporter.line(&format!("agents connect to {}", hub.tunnel_address()));
    reporter.hint(&format!("export KUBECONFIG={}", kubeconfig.display()));
    reporter.hint("fedctl join NAME --cluster-kubeconfig FILE   registers a member cluster");
    reporter.hint("fedctl join NAME --tunnel                    one that only its agent can reach");
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

/// Binds an address; port 0 of loopback is the port that it had last time.
async fn listen(layout: &Layout, what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    if address.port() == 0 && address.ip().is_loopback() {
        let listener = layout.listeners(&[what]).await?.pop();
        return listener.context("no port");
    }
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}
