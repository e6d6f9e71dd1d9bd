//! The order in which a server comes up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::builder::{Listen, ServerBuilder};
use super::certificates::{Certificates, CertificatesError};
use super::handle::ServerHandle;
use super::listener;
use super::tls::{Tls, TlsError};
use crate::api::Api;
use crate::auth::{Authentication, ServiceAccountTokens, TokenAuthenticator};
use crate::cache::{Cache, CacheError};
use crate::http::{Documents, Extensions, Front, HealthCheck, InFlight, Metrics, Phase};
use crate::kinds::{Kinds, Registry};
use crate::status::ApiError;

/// How often the server certificate is looked at.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);

/// A server did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("the server cannot listen")]
    Listen(#[source] std::io::Error),
    /// The certificates cannot be used.
    #[error("the server's certificates cannot be used")]
    Certificates(#[source] CertificatesError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] TlsError),
    /// The store's state cannot be loaded.
    #[error("the state cannot be loaded")]
    Cache(#[source] CacheError),
    /// A CRD or a namespace that must exist cannot be written.
    #[error("{what} cannot be installed")]
    Install {
        /// Which object.
        what: String,
        /// The server's own answer.
        #[source]
        source: ApiError,
    },
}

/// Brings a server up. The listener answers from the moment it exists: with 503 until the table of kinds is complete.
pub(super) async fn start(builder: ServerBuilder) -> Result<ServerHandle, StartError> {
    let tcp = match builder.listen {
        Listen::Listener(listener) => listener,
        Listen::Address(address) => TcpListener::bind(address)
            .await
            .map_err(StartError::Listen)?,
    };
    let address = tcp.local_addr().map_err(StartError::Listen)?;
    let tls = Arc::new(tls(&builder.certificates)?);
    let cache = Cache::start(builder.store.clone(), builder.cache)
        .await
        .map_err(StartError::Cache)?;
    let registry = Arc::new(Registry::new(Kinds::new(builder.kinds.unwrap_or_default())));
    let api = Api {
        store: builder.store,
        cache: cache.clone(),
        registry,
        admission: builder.admission.into(),
        converters: builder.converters.into(),
        seams: builder.seams.clone(),
    };
    let (phase, phases) = watch::channel(Phase::Starting);
    let mut tokens: Vec<Arc<dyn TokenAuthenticator>> = vec![
        Arc::new(builder.tokens),
        Arc::new(ServiceAccountTokens::new(cache)),
    ];
    tokens.extend(builder.authenticators);
    let mut checks = checks(&api, &phases);
    checks.extend(builder.checks);
    let front = Arc::new(Front {
        api: api.clone(),
        authentication: Authentication::new(tokens),
        authorizer: builder.authorizer,
        in_flight: InFlight::new(&builder.limits),
        limits: builder.limits,
        metrics: Metrics::new(),
        checks,
        extensions: Extensions::new(builder.extensions),
        documents: Documents::default(),
        phase: phases,
    });
    let accepting = CancellationToken::new();
    let controllers = CancellationToken::new();
    let serving = tokio::spawn(listener::serve(
        tcp,
        tls.clone(),
        front,
        builder.seams,
        accepting.clone(),
        builder.drain,
    ));
    let mut tasks = JoinSet::new();
    tasks.spawn(renew(
        tls,
        builder.certificates.clone(),
        controllers.clone(),
    ));
    let handle = ServerHandle {
        address,
        api,
        certificates: builder.certificates,
        phase,
        shutdown_delay: builder.shutdown_delay,
        accepting,
        controllers,
        listener: Mutex::new(Some(serving)),
        tasks: Mutex::new(tasks),
    };
    handle.phase.send_replace(Phase::Ready);
    tracing::info!(%address, "the API server is ready");
    Ok(handle)
}

fn tls(certificates: &Certificates) -> Result<Tls, StartError> {
    let key = certificates
        .server_key()
        .map_err(StartError::Certificates)?;
    let authorities = certificates
        .client_authorities()
        .map_err(StartError::Certificates)?;
    Tls::new(key, &authorities).map_err(StartError::Tls)
}

/// The checks that every server has.
fn checks(api: &Api, phase: &watch::Receiver<Phase>) -> Vec<HealthCheck> {
    let (kinds, shutdown) = (phase.clone(), phase.clone());
    let (store, cache) = (api.store.clone(), api.cache.clone());
    vec![
        HealthCheck::new("ping", || Ok(())),
        HealthCheck::readiness("informer-sync", move || {
            let (committed, applied) = (store.committed(), cache.revision());
            // Being a little behind is normal; a cache that has stopped falls behind without end.
            if committed.get().saturating_sub(applied.get()) > 10_000 {
                Err(format!(
                    "the cache is at {applied}, the store at {committed}"
                ))
            } else {
                Ok(())
            }
        }),
        HealthCheck::readiness("kinds", move || match *kinds.borrow() {
            Phase::Starting => Err("the table of kinds is not complete".to_owned()),
            Phase::Ready | Phase::Draining => Ok(()),
        }),
        HealthCheck::readiness("shutdown", move || match *shutdown.borrow() {
            Phase::Draining => Err("the server is shutting down".to_owned()),
            Phase::Starting | Phase::Ready => Ok(()),
        }),
    ]
}

/// Serves with a new certificate before the old one ends.
async fn renew(tls: Arc<Tls>, certificates: Certificates, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(RENEWAL_CHECK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match certificates.server_key() {
            Ok(key) => tls.replace(key),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the server certificate cannot be renewed");
            }
        }
    }
}
