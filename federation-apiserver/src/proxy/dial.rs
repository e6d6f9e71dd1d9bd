//! How bytes get to a member's API server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_member::MemberAccess;
use federation_tunnel::{AddressError, BoxIo, Class, ClusterName, Host, HostPort, Tunnels};
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tower::{Service, ServiceExt, service_fn};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long opening a TCP connection may take: to the member, or to the proxy on the way.
const TCP: Duration = Duration::from_secs(5);
/// Probes of an idle connection, so that a member that vanished without a word is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// No stream to a member.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Its address does not answer.
    #[error("its API server at {address} cannot be connected to")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The proxy on the way cannot be used.
    #[error("the proxy of spec.proxyURL cannot be used")]
    Proxy(#[source] BoxError),
    /// It is to be reached through its agent's tunnel, and that did not do it.
    #[error("its agent's tunnel does not reach it")]
    Tunnel(#[source] federation_tunnel::DialError),
    /// It is to be reached through its agent's tunnel, and this hub serves none.
    #[error("it is reached through its agent's tunnel only, which this hub does not serve")]
    NoTunnel,
    /// Its name or address means nothing to the tunnel.
    #[error("its name or address cannot be used in a tunnel")]
    Unroutable,
    /// It took too long.
    #[error("connecting took longer than {} s", .0.as_secs())]
    Timeout(Duration),
}

impl DialError {
    /// What somebody can do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Connect { .. } | Self::Timeout(_) => {
                "check that it runs and that the hub's machine can connect to it"
            }
            Self::Proxy(_) => "check spec.proxyURL of the KubeFedCluster",
            Self::Tunnel(_) => "check that the proxy-agent runs in the cluster and reaches the hub",
            Self::NoTunnel => {
                "let the hub serve tunnels, or take away the annotation koinon.io/connection"
            }
            Self::Unroutable => "check the name and spec.apiEndpoint of the KubeFedCluster",
        }
    }
}

/// Opens streams to members. TLS and HTTP are spoken over what it returns.
#[async_trait]
pub trait Dialer: Send + Sync + 'static {
    /// A stream to the API server of the physical cluster `cluster`. The caller sets no limit of its own on less than ten
    /// seconds; dropping the future gives up.
    ///
    /// # Errors
    /// See [`DialError`].
    async fn dial(&self, cluster: &str, access: &MemberAccess) -> Result<BoxIo, DialError>;
}

/// Picks the way that a cluster asks for.
#[derive(Clone)]
pub struct Routes {
    direct: Arc<dyn Dialer>,
    tunnel: Option<Arc<dyn Dialer>>,
}

impl Routes {
    /// Direct members only.
    #[must_use]
    pub fn direct() -> Self {
        Self {
            direct: Arc::new(Direct),
            tunnel: None,
        }
    }

    /// Also members that are reached through their agents.
    #[must_use]
    pub fn with_tunnel(self, tunnel: Arc<dyn Dialer>) -> Self {
        Self {
            tunnel: Some(tunnel),
            ..self
        }
    }
}

#[async_trait]
impl Dialer for Routes {
    async fn dial(&self, cluster: &str, access: &MemberAccess) -> Result<BoxIo, DialError> {
        let way = if access.tunnel {
            self.tunnel.as_ref().ok_or(DialError::NoTunnel)?
        } else {
            &self.direct
        };
        way.dial(cluster, access).await
    }
}

/// Through the agents that are connected to this hub.
#[derive(Clone, Debug)]
pub struct Tunnelled(pub Tunnels);

#[async_trait]
impl Dialer for Tunnelled {
    async fn dial(&self, cluster: &str, access: &MemberAccess) -> Result<BoxIo, DialError> {
        let name: ClusterName = cluster.parse().map_err(|_| DialError::Unroutable)?;
        let target = tunnel_target(&access.endpoint).map_err(|_| DialError::Unroutable)?;
        self.0
            .dial(&name, &target, Class::Interactive)
            .await
            .map_err(DialError::Tunnel)
    }
}

/// What an agent is asked to connect to: the host of a cluster's `spec.apiEndpoint`, as the agent's own network knows it.
///
/// # Errors
/// If the host is none, as a tunnel sees it.
pub fn tunnel_target(endpoint: &Uri) -> Result<HostPort, AddressError> {
    let (host, port) = address(endpoint);
    let host: Host = host.parse()?;
    HostPort::new(host, port)
}

/// Over TCP, through the proxy that the cluster names if it names one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

#[async_trait]
impl Dialer for Direct {
    async fn dial(&self, _cluster: &str, access: &MemberAccess) -> Result<BoxIo, DialError> {
        let endpoint = &access.endpoint;
        let (host, port) = address(endpoint);
        let Some(proxy) = &access.proxy else {
            let stream = connect(endpoint.clone()).await;
            return match stream {
                Ok(stream) => Ok(Box::new(stream.into_inner())),
                Err(source) => Err(DialError::Connect {
                    address: format!("{host}:{port}"),
                    source: source.into(),
                }),
            };
        };
        // Proxies connect to the authority of what they are asked for, which must name its port.
        let target: Uri = format!("https://{}:{port}", endpoint.host().unwrap_or_default())
            .parse()
            .map_err(|_| DialError::Unroutable)?;
        via(proxy.clone(), target).await.map_err(DialError::Proxy)
    }
}

type Tcp = TokioIo<tokio::net::TcpStream>;

async fn connect(to: Uri) -> Result<Tcp, impl Into<BoxError>> {
    tcp().oneshot(with_port(to)).await
}

/// The connector takes 80 for its default port whatever the scheme is, if it is not enforced.
fn with_port(uri: Uri) -> Uri {
    let (_, port) = address(&uri);
    let host = uri.host().unwrap_or_default();
    format!("http://{host}:{port}").parse().unwrap_or(uri)
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(TCP));
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp
}

async fn via(proxy: Uri, target: Uri) -> Result<BoxIo, BoxError> {
    let authorization = basic(&proxy);
    match proxy.scheme_str() {
        Some("socks5") => {
            let stream = SocksV5::new(proxy, tcp()).call(target).await?;
            Ok(Box::new(stream.into_inner()))
        }
        Some("https") => {
            let secure = service_fn(|uri: Uri| async move { secured(uri).await });
            let mut tunnel = Tunnel::new(proxy, secure);
            if let Some(value) = authorization {
                tunnel = tunnel.with_auth(value);
            }
            Ok(Box::new(tunnel.call(target).await?.into_inner()))
        }
        _ => {
            let mut tunnel = Tunnel::new(proxy, tcp());
            if let Some(value) = authorization {
                tunnel = tunnel.with_auth(value);
            }
            Ok(Box::new(tunnel.call(target).await?.into_inner()))
        }
    }
}

type SecureTcp = TokioIo<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

/// TLS to a proxy, which the machine's own roots must vouch for.
async fn secured(proxy: Uri) -> Result<SecureTcp, BoxError> {
    let stream = connect(proxy.clone()).await.map_err(Into::into)?;
    let config = federation_member::machine_config()?;
    let name = server_name(&proxy)?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream.into_inner())
        .await?;
    Ok(TokioIo::new(stream))
}

/// The user information of a proxy's URL.
fn basic(proxy: &Uri) -> Option<HeaderValue> {
    let (user, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(user))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Host without brackets, and port.
fn address(uri: &Uri) -> (String, u16) {
    let host = uri.host().unwrap_or_default();
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let default = if uri.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    (host, uri.port_u16().unwrap_or(default))
}

/// The name that a server's certificate must hold.
pub(super) fn server_name(uri: &Uri) -> Result<ServerName<'static>, io::Error> {
    let (host, _) = address(uri);
    ServerName::try_from(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}
