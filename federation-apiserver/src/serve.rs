//! A hub from its settings to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use apiserver::auth::{TokenFileError, TokenTable};
use apiserver::seams::Seams;
use apiserver::server::{CertificatesError, StartError};
use apiserver::{Certificates, ServerHandle};
use apiserver_store::{
    BackendError, OpenBackendError, OpenError, Store, StoreOptions, open_backend,
};

use federation_tunnel::HostPort;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::encryption::{Encryption, EncryptionError, RewriteHandler};
use crate::hub::hub_builder_with;
use crate::tunnel::{HubTunnels, TunnelEndpoint, TunnelError, TunnelOptions};

/// Name of the cluster and the context in the administrator's kubeconfig.
const CONTEXT: &str = "koinon";
/// How long requests in flight may take at shutdown.
const DRAIN: Duration = Duration::from_secs(20);
/// Within what time agents are asked to go elsewhere at shutdown, each at its own moment.
const AGENTS_SPREAD: Duration = Duration::from_secs(10);

/// A hub did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database cannot be opened.
    #[error("the hub has no database")]
    Database(#[source] OpenBackendError),
    /// The database cannot be read.
    #[error("the database cannot be read")]
    Read(#[source] BackendError),
    /// Values cannot be sealed as configured.
    #[error("encryption at rest cannot be set up")]
    Encryption(#[source] EncryptionError),
    /// The store cannot be read.
    #[error("the store cannot be opened")]
    Store(#[source] OpenError),
    /// The certificates cannot be used.
    #[error("the certificates cannot be used")]
    Certificates(#[source] CertificatesError),
    /// The token file cannot be used.
    #[error("the token file cannot be used")]
    Tokens(#[source] TokenFileError),
    /// The server cannot start.
    #[error("the hub cannot start")]
    Start(#[source] StartError),
    /// The tunnel's port cannot be listened on.
    #[error("{0} cannot be listened on for agents")]
    TunnelPort(SocketAddr, #[source] std::io::Error),
    /// The tunnel does not come up.
    #[error("the tunnel cannot be opened")]
    Tunnel(#[source] TunnelError),
    /// The kubeconfig cannot be written.
    #[error("the administrator's kubeconfig cannot be written")]
    Kubeconfig(#[source] std::io::Error),
}

/// A hub that runs.
#[derive(Debug)]
pub struct Hub {
    /// Its API server.
    pub server: ServerHandle,
    /// Its end of members' tunnels, if it serves any.
    pub tunnel: Option<TunnelEndpoint>,
}

impl Hub {
    /// Ends it in order: agents go elsewhere while requests in flight end, then the store is closed.
    pub async fn shutdown(self) {
        let tunnel = async {
            if let Some(tunnel) = self.tunnel {
                tunnel.shutdown(AGENTS_SPREAD, DRAIN).await;
            }
        };
        tokio::join!(tunnel, self.server.shutdown());
    }
}

/// Starts a hub and writes the administrator's kubeconfig. Returns when it is ready.
///
/// # Errors
/// See [`ServeError`]. What was opened is closed again then.
pub async fn open_hub(config: &Config) -> Result<Hub, ServeError> {
    let tokens = match &config.token_file {
        Some(path) => TokenTable::from_file(path).map_err(ServeError::Tokens)?,
        None => TokenTable::new(),
    };
    let seams = Seams::system();
    let certificates = Certificates::open(&config.data_dir.join("pki"), &config.hosts, &seams)
        .map_err(ServeError::Certificates)?;
    let (store, encryption) = open_store(config).await?;
    let hub_tunnels = HubTunnels::default();
    let mut builder = hub_builder_with(store.clone(), certificates, hub_tunnels.clone())
        .extension(Arc::new(RewriteHandler::new(store.clone())));
    for check in Arc::new(encryption).checks() {
        builder = builder.check(check);
    }
    let started = builder
        .seams(seams)
        .listen(config.listen)
        .tokens(tokens)
        .shutdown_times(Duration::from_secs(config.shutdown_delay_seconds), DRAIN)
        .start()
        .await;
    let hub = match started {
        Ok(hub) => hub,
        Err(error) => {
            store.close().await;
            return Err(ServeError::Start(error));
        }
    };
    hub.ready().await;
    let opened = match write_kubeconfig(&hub, config) {
        Ok(()) => open_tunnel(&hub, &hub_tunnels, config).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(tunnel) => Ok(Hub {
            server: hub,
            tunnel,
        }),
        Err(error) => {
            hub.shutdown().await;
            Err(error)
        }
    }
}

/// Opens the tunnel of a hub that serves, if it is to have one.
async fn open_tunnel(
    hub: &ServerHandle,
    hub_tunnels: &HubTunnels,
    config: &Config,
) -> Result<Option<TunnelEndpoint>, ServeError> {
    let Some(tunnel) = config.tunnel.clone() else {
        return Ok(None);
    };
    let listener = TcpListener::bind(tunnel.listen)
        .await
        .map_err(|source| ServeError::TunnelPort(tunnel.listen, source))?;
    let name = tunnel
        .id
        .unwrap_or_else(|| format!("hub-{:08x}", Seams::system().random() & 0xffff_ffff));
    let options = TunnelOptions {
        advertise: tunnel.advertise,
        server_count: tunnel.server_count,
        peer_address: peer_address(config, tunnel.peer_address, listener.local_addr().ok()),
        fronts: tunnel.fronts,
        ..TunnelOptions::new(&name)
    };
    TunnelEndpoint::start(hub.api(), hub_tunnels, listener, options)
        .await
        .map(Some)
        .map_err(ServeError::Tunnel)
}

/// Where other processes of the hub reach this one's tunnel: only where a database can be shared are there any.
fn peer_address(
    config: &Config,
    given: Option<HostPort>,
    listens: Option<SocketAddr>,
) -> Option<HostPort> {
    if !config.database.is_shared() {
        return None;
    }
    let own = listens
        .filter(|address| !address.ip().is_unspecified())
        .and_then(|address| address.to_string().parse().ok());
    let address = given.or(own);
    if address.is_none() {
        tracing::warn!(
            "other processes of the hub cannot reach agents of this one: give --tunnel-peer-address"
        );
    }
    address
}

/// Opens the database with encryption at rest as configured.
pub(crate) async fn open_store(config: &Config) -> Result<(Store, Encryption), ServeError> {
    let backend = open_backend(&config.database)
        .await
        .map_err(ServeError::Database)?;
    tracing::info!(database = %config.database, "the database is open");
    let encryption = match &config.encryption_config {
        Some(path) => Encryption::from_file(path, config.encryption_config_reload).await,
        None => {
            let shared = backend.sharing().is_some();
            let head = backend.head().await.map_err(ServeError::Read)?;
            Encryption::own(&config.data_dir, shared && head.revision.get() > 0).await
        }
    };
    let encryption = encryption.map_err(ServeError::Encryption)?;
    let options = StoreOptions {
        seals: encryption.seals(),
        ..StoreOptions::default()
    };
    let store = Store::open_any(backend, options)
        .await
        .map_err(ServeError::Store)?;
    Ok((store, encryption))
}

fn write_kubeconfig(hub: &ServerHandle, config: &Config) -> Result<(), ServeError> {
    let mut kubeconfig = hub.kubeconfig(CONTEXT).map_err(ServeError::Certificates)?;
    if let Some(url) = &config.advertise_url {
        kubeconfig.server.clone_from(url);
    }
    kubeconfig
        .write(&config.kubeconfig)
        .map_err(ServeError::Kubeconfig)
}

/// Runs a hub until `stop` is done.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(config: Config, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
    let hub = open_hub(&config).await?;
    tracing::info!(
        url = hub.server.url(),
        tunnel = hub.tunnel.as_ref().map(|tunnel| tunnel.address().to_string()),
        kubeconfig = %config.kubeconfig.display(),
        "the hub is ready"
    );
    stop.await;
    tracing::info!("the hub shuts down");
    hub.shutdown().await;
    Ok(())
}

/// Done when the process is asked to end: SIGINT or SIGTERM.
pub(crate) async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
