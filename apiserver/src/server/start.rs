//! The order in which a server comes up.

use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::builder::{Listen, Parts, ServerBuilder};
use super::certificates::{Certificates, CertificatesError};
use super::controllers::Controllers;
use super::handle::ServerHandle;
use super::tls::{Tls, TlsError};
use super::{install, listener};
use crate::api::Api;
use crate::auth::{Authentication, ServiceAccountTokens, TokenAuthenticator};
use crate::cache::{Cache, CacheError};
use crate::control::CrdController;
use crate::convert::{NoServices, WebhookConverter};
use crate::http::{Documents, Extensions, Front, HealthCheck, InFlight, Metrics, Phase};
use crate::kinds::{
    BuiltinHooks, Kind, Kinds, Registry, builtin_columns, builtin_rows, builtin_strategy,
};
use crate::local::LocalClient;
use crate::status::ApiError;

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
pub(super) async fn start(mut builder: ServerBuilder) -> Result<ServerHandle, StartError> {
    let listen = std::mem::replace(&mut builder.listen, Listen::Address(([0; 4], 0).into()));
    let tcp = match listen {
        Listen::Listener(listener) => listener,
        Listen::Address(address) => TcpListener::bind(address)
            .await
            .map_err(StartError::Listen)?,
    };
    let address = tcp.local_addr().map_err(StartError::Listen)?;
    let tls = Arc::new(tls(&builder.certificates)?);
    let crds = std::mem::take(&mut builder.crds);
    let mut objects = install::system_namespaces();
    objects.append(&mut builder.objects);
    let rows = builder.kinds.take().unwrap_or_else(builtin);
    let api = api(&mut builder, &rows).await?;
    let (phase, phases) = watch::channel(Phase::Starting);
    let certificates = builder.certificates.clone();
    let (seams, drain, shutdown_delay) =
        (builder.seams.clone(), builder.drain, builder.shutdown_delay);
    let controllers = Controllers::default();
    builder.checks.push(controllers.check());
    let front = Arc::new(front(builder, &api, phases, address.to_string()));
    let accepting = CancellationToken::new();
    let serving = listener::serve(tcp, tls.clone(), front, seams, accepting.clone(), drain);
    let serving = tokio::spawn(serving);
    let mut definitions = CrdController::new(api.clone(), rows);
    definitions.settle().await;
    let stop = controllers.stop_token();
    controllers.spawn("crd", definitions.run(stop));
    controllers.start_builtin(&api, tls, &certificates);
    let handle = ServerHandle {
        address,
        api: api.clone(),
        certificates,
        phase,
        shutdown_delay,
        accepting,
        controllers,
        listener: Mutex::new(Some(serving)),
    };
    let client = LocalClient::new(api, "system:apiserver");
    let installed = async {
        install::crds(&client, &crds).await?;
        install::objects(&client, &objects).await
    };
    if let Err(error) = installed.await {
        handle.stop_tasks().await;
        return Err(error);
    }
    handle.phase.send_replace(Phase::Ready);
    tracing::info!(%address, "the API server is ready");
    Ok(handle)
}

/// Loads the state and puts together what the verbs work on.
async fn api(builder: &mut ServerBuilder, rows: &[Arc<Kind>]) -> Result<Api, StartError> {
    let cache = Cache::start(builder.store.clone(), builder.cache.clone())
        .await
        .map_err(StartError::Cache)?;
    let registry = Arc::new(Registry::new(Kinds::new(rows.iter().cloned())));
    let admission = std::mem::take(&mut builder.admission)
        .into_iter()
        .map(|plugin| plugin.make(&cache, &registry))
        .collect();
    let mut converters = std::mem::take(&mut builder.converters);
    // The last: what nobody took into their own hands.
    converters.push(Arc::new(WebhookConverter::new(
        Arc::new(NoServices),
        builder.seams.clone(),
    )));
    Ok(Api {
        store: builder.store.clone(),
        cache,
        registry,
        admission,
        converters: converters.into(),
        seams: builder.seams.clone(),
    })
}

/// The rows that a server has unless it is told others.
fn builtin() -> Vec<Arc<Kind>> {
    builtin_rows(BuiltinHooks {
        strategy: builtin_strategy,
        columns: builtin_columns,
    })
}

fn front(
    builder: ServerBuilder,
    api: &Api,
    phase: watch::Receiver<Phase>,
    address: String,
) -> Front {
    let mut tokens: Vec<Arc<dyn TokenAuthenticator>> = vec![
        Arc::new(builder.tokens),
        Arc::new(ServiceAccountTokens::new(api.cache.clone())),
    ];
    tokens.extend(builder.authenticators);
    let mut checks = checks(api, &phase);
    checks.extend(builder.checks);
    let parts = Parts {
        api: api.clone(),
        authorizer: builder.authorizer.clone(),
    };
    let extensions: Vec<_> = builder
        .extensions
        .into_iter()
        .map(|make| make(&parts))
        .collect();
    let metrics = Metrics::new(extensions.iter().filter_map(|one| one.collector()));
    let extensions = Extensions::new(extensions);
    Front {
        api: api.clone(),
        authentication: Authentication::new(tokens),
        authorizer: builder.authorizer,
        in_flight: InFlight::new(&builder.limits),
        limits: builder.limits,
        metrics,
        checks,
        documents: Documents::new(address, extensions.resources()),
        extensions,
        phase,
    }
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
    let written = api.store.clone();
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
        HealthCheck::readiness("store", move || match written.trouble() {
            Some(trouble) => Err(format!("the store cannot write: {trouble}")),
            None => Ok(()),
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
