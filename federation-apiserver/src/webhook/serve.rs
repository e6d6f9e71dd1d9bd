//! A webhook from its settings to its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apiserver::seams::Seams;
use federation_api::names::WEBHOOK;
use futures::future::join_all;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::certificates::{Current, Lives};
use super::inject::Injector;
use super::keeper::{Keeper, Source};
use super::listener;
use super::lookups::Lookups;
use super::metrics::Metrics;
use super::routes::Doors;
use super::targets::Targets;

/// How long requests in flight may take at shutdown.
const DRAIN: Duration = Duration::from_secs(20);

/// A webhook's settings, complete.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Where API servers reach the webhook.
    pub listen: SocketAddr,
    /// Where probes and scrapes are answered, in plain HTTP.
    pub health_listen: SocketAddr,
    /// Namespace of the Secret and the ConfigMap; also part of the Service's name.
    pub namespace: String,
    /// Names and addresses, besides the Service's and localhost, that the certificate must be valid for.
    pub hosts: Vec<String>,
    /// Certificate and key as files, instead of own ones.
    pub files: Option<(PathBuf, PathBuf)>,
    /// CA to publish, with `files`.
    pub ca_file: Option<PathBuf>,
    /// How long an own CA lives.
    pub ca_lifetime: Duration,
    /// How long an own serving certificate lives.
    pub certificate_lifetime: Duration,
    /// How long `/readyz` fails at shutdown before connections are refused.
    pub shutdown_delay: Duration,
}

impl WebhookConfig {
    fn source(&self) -> Source {
        if let Some((certificate, key)) = &self.files {
            return Source::Files {
                certificate: certificate.clone(),
                key: key.clone(),
                authority: self.ca_file.clone(),
            };
        }
        let service = format!("{WEBHOOK}.{}.svc", self.namespace);
        let mut hosts = vec![
            format!("{service}.cluster.local"),
            service,
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        hosts.extend(self.hosts.iter().cloned());
        Source::Own {
            hosts,
            lives: Lives {
                authority: self.ca_lifetime,
                serving: self.certificate_lifetime,
            },
        }
    }
}

/// A webhook did not come up.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No way to reach the cluster is known.
    #[error("no kubeconfig and no service account can be used: give --kubeconfig")]
    Unconfigured(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection settings cannot be used.
    #[error("the kubeconfig cannot be used")]
    Client(#[source] kube::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Serves the webhook until `stop` is done, then drains.
///
/// It listens at once; connections fail until there is a certificate, which `/readyz` tells. A cluster that cannot be reached is
/// waited for.
///
/// # Errors
/// See [`WebhookError`].
pub async fn serve(
    config: WebhookConfig,
    client: Client,
    stop: impl Future<Output = ()>,
) -> Result<(), WebhookError> {
    let listener = bind(config.listen).await?;
    let health = bind(config.health_listen).await?;
    let current = Current::default();
    let tls = listener::tls(&current).map_err(WebhookError::Tls)?;
    let (metrics, is_ready) = (Metrics::default(), Arc::<AtomicBool>::default());
    let changed = Arc::new(Notify::new());
    let (targets, targets_work) = Targets::follow(&client, &changed);
    let (lookups, lookups_work) = Lookups::follow(&client);
    let keeper = Keeper {
        source: config.source(),
        secrets: Api::namespaced(client.clone(), &config.namespace),
        injector: Injector::new(client, &config.namespace, targets),
        current,
        seams: Seams::system(),
        is_ready: is_ready.clone(),
    };
    let admin = Admin {
        metrics: metrics.clone(),
        is_ready,
        is_stopping: Arc::default(),
    };
    let is_stopping = admin.is_stopping.clone();
    let token = CancellationToken::new();
    let served = listener::serve(
        listener,
        tls,
        Doors::new(lookups, metrics),
        token.clone(),
        DRAIN,
    );
    let stopped = async {
        stop.await;
        tracing::info!("the webhook shuts down");
        is_stopping.store(true, Ordering::Release);
        tokio::time::sleep(config.shutdown_delay).await;
        token.cancel();
        std::future::pending::<()>().await;
    };
    // What follows the cluster goes on while requests in flight are answered, and ends with them.
    tokio::select! {
        () = served => {}
        () = stopped => {}
        () = keeper.run(changed) => {}
        () = lookups_work => {}
        _ = join_all(targets_work) => {}
        () = admin.serve(health) => {}
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, WebhookError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| WebhookError::Listen { address, source })?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening");
    }
    Ok(listener)
}
