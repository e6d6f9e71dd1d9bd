//! Builds a client from a kube configuration.
//!
//! Unlike kube's own builder it sends small requests at once (no Nagle delay), can leave out single TLS checks, and
//! lets those and a proxy work together.

use std::time::Duration;

use federation_member::checks::{Lenient, TlsChecks};
use http::{Uri, uri::Scheme};
use hyper::rt::{Read, Write};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connect, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

use super::GuardLayer;

/// How long opening a TCP connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Probes of an idle connection: a peer that vanished without a word is noticed after a few of these.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Why no client could be built. Nothing was sent yet.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The configuration holds something unusable, e.g. a broken certificate.
    #[error("the connection settings are unusable")]
    Config(#[source] kube::Error),
    /// The trusted roots are unusable.
    #[error("the CA bundle is unusable")]
    Roots(#[source] rustls::Error),
    /// The TLS server name is no DNS name or address.
    #[error("{0:?} is no TLS server name")]
    ServerName(String),
    /// The proxy's scheme is not http, https or socks5.
    #[error("proxy scheme {0:?} is not supported")]
    ProxyScheme(String),
    /// Part of the TLS checks can be left out only if a CA bundle is given.
    #[error("leaving out single TLS checks needs a CA bundle")]
    PartialChecksWithoutRoots,
}

/// A client for `config`, behind `guard`. Opens no connection yet.
///
/// # Errors
/// If the configuration cannot be used; never because a server is down.
pub fn connect(
    config: &Config,
    checks: TlsChecks,
    guard: &GuardLayer,
) -> Result<Client, ConnectError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(KEEPALIVE));
    let Some(proxy) = config.proxy_url.clone() else {
        return assemble(config, https(config, checks, tcp)?, guard);
    };
    match proxy.scheme_str() {
        Some("socks5") => assemble(
            config,
            https(config, checks, SocksV5::new(proxy, tcp))?,
            guard,
        ),
        Some("http") => assemble(config, https(config, checks, tunnel(proxy, tcp))?, guard),
        Some("https") => {
            let to_proxy = Config::new(proxy.clone())
                .rustls_https_connector_with_connector(tcp)
                .map_err(ConnectError::Config)?;
            assemble(
                config,
                https(config, checks, tunnel(proxy, to_proxy))?,
                guard,
            )
        }
        other => Err(ConnectError::ProxyScheme(
            other.unwrap_or_default().to_owned(),
        )),
    }
}

/// As [`connect`], with connections that somebody else opens: proxies are that one's business too.
///
/// # Errors
/// As [`connect`].
pub(crate) fn connect_over<C>(
    config: &Config,
    checks: TlsChecks,
    guard: &GuardLayer,
    connector: C,
) -> Result<Client, ConnectError>
where
    C: tower::Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    assemble(config, https(config, checks, connector)?, guard)
}

/// A connector that asks the proxy for a tunnel, with the user information of the proxy's URL if there is one.
fn tunnel<C>(proxy: Uri, connector: C) -> Tunnel<C> {
    use base64::Engine;

    let user = proxy
        .authority()
        .and_then(|authority| authority.as_str().rsplit_once('@'))
        .map(|(user, _)| {
            format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(user)
            )
        });
    let tunnel = Tunnel::new(proxy, connector);
    match user.and_then(|value| http::HeaderValue::from_str(&value).ok()) {
        Some(mut value) => {
            value.set_sensitive(true);
            tunnel.with_auth(value)
        }
        None => tunnel,
    }
}

fn https<C>(
    config: &Config,
    checks: TlsChecks,
    connector: C,
) -> Result<HttpsConnector<C>, ConnectError> {
    let mut config = config.clone();
    config.accept_invalid_certs |= checks.skip_all;
    let mut tls = config
        .rustls_client_config()
        .map_err(ConnectError::Config)?;
    if checks.is_partial() && config.cluster_url.scheme() == Some(&Scheme::HTTPS) {
        let roots = config
            .root_cert
            .as_deref()
            .ok_or(ConnectError::PartialChecksWithoutRoots)?;
        let verifier = Lenient::new(roots, checks).map_err(ConnectError::Roots)?;
        tls.dangerous()
            .set_certificate_verifier(std::sync::Arc::new(verifier));
    }
    let mut builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        let parsed = name
            .clone()
            .try_into()
            .map_err(|_| ConnectError::ServerName(name.clone()))?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(parsed));
    }
    Ok(builder.enable_http1().wrap_connector(connector))
}

fn assemble<C>(config: &Config, connector: C, guard: &GuardLayer) -> Result<Client, ConnectError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let transport = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(guard.clone())
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(ConnectError::Config)?)
        .layer(config.extra_headers_layer().map_err(ConnectError::Config)?)
        .map_err(BoxError::from)
        .service(transport);
    Ok(Client::new(service, config.default_namespace.clone()))
}
