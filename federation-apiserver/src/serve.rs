//! A hub from its settings to its end.

use std::sync::Arc;
use std::time::Duration;

use apiserver::auth::{TokenFileError, TokenTable};
use apiserver::seams::Seams;
use apiserver::server::{CertificatesError, StartError};
use apiserver::{Certificates, ServerHandle};
use apiserver_store::{
    BackendError, OpenBackendError, OpenError, Store, StoreOptions, open_backend,
};

use crate::config::Config;
use crate::encryption::{Encryption, EncryptionError, RewriteHandler};
use crate::hub::hub_builder;

/// Name of the cluster and the context in the administrator's kubeconfig.
const CONTEXT: &str = "koinon";
/// How long requests in flight may take at shutdown.
const DRAIN: Duration = Duration::from_secs(20);

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
    /// The kubeconfig cannot be written.
    #[error("the administrator's kubeconfig cannot be written")]
    Kubeconfig(#[source] std::io::Error),
}

/// Starts a hub and writes the administrator's kubeconfig. Returns when it is ready.
///
/// # Errors
/// See [`ServeError`]. What was opened is closed again then.
pub async fn open_hub(config: &Config) -> Result<ServerHandle, ServeError> {
    let tokens = match &config.token_file {
        Some(path) => TokenTable::from_file(path).map_err(ServeError::Tokens)?,
        None => TokenTable::new(),
    };
    let seams = Seams::system();
    let certificates = Certificates::open(&config.data_dir.join("pki"), &config.hosts, &seams)
        .map_err(ServeError::Certificates)?;
    let (store, encryption) = open_store(config).await?;
    let mut builder = hub_builder(store.clone(), certificates)
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
    if let Err(error) = write_kubeconfig(&hub, config) {
        hub.shutdown().await;
        return Err(error);
    }
    Ok(hub)
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
        url = hub.url(),
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
