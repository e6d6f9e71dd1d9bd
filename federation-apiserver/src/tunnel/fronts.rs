//! Where clients come in besides the hub's API: kube-apiserver's egress selector, and whatever else speaks konnectivity-client's protocol or
//! HTTP CONNECT.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use federation_tunnel::Tunnels;
use federation_tunnel::konnectivity::{
    Dial, Front, ToCluster, ToNamedCluster, bind_unix, serve_tls, serve_unix,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A front end cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// The socket cannot be made.
    #[error("the socket {path} cannot be listened on")]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The port cannot be listened on.
    #[error("{address} cannot be listened on for clients of the tunnel")]
    Port {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of TLS cannot be used.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// TLS cannot be set up.
    #[error("TLS for clients of the tunnel cannot be set up")]
    Tls(#[source] BoxError),
}

/// A Unix socket for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The cluster that everything goes to; `None`: targets name it.
    pub cluster: Option<String>,
    /// Where it is.
    pub path: PathBuf,
}

/// A TCP port for clients, with mutual TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFront {
    /// Where it is.
    pub listen: SocketAddr,
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Who vouches for clients, PEM.
    pub authority: PathBuf,
}

/// All front ends of a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fronts {
    /// Unix sockets.
    pub sockets: Vec<Socket>,
    /// The TCP port.
    pub tls: Option<TlsFront>,
    /// How clients ask.
    pub front: Front,
    /// Replace sockets that are there already.
    pub replace: bool,
    /// What follows a cluster's name in a target's host.
    pub suffix: String,
}

impl Default for Fronts {
    /// None.
    fn default() -> Self {
        Self {
            sockets: Vec::new(),
            tls: None,
            front: Front::Grpc,
            replace: true,
            suffix: ".cluster.fed".to_owned(),
        }
    }
}

impl Fronts {
    /// Opens them all. They are served until `tasks` are aborted.
    pub(super) async fn open(
        &self,
        tunnels: &Tunnels,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), FrontError> {
        let shared = Arc::new(tunnels.clone());
        let named = || -> Arc<dyn Dial> {
            Arc::new(ToNamedCluster {
                suffix: self.suffix.clone(),
                tunnels: shared.clone(),
            })
        };
        for socket in &self.sockets {
            let dial = match &socket.cluster {
                None => named(),
                Some(cluster) => Arc::new(ToCluster {
                    cluster: cluster.clone(),
                    tunnels: shared.clone(),
                }),
            };
            let path = &socket.path;
            let listener = bind_unix(path, self.replace).map_err(|source| FrontError::Socket {
                path: path.clone(),
                source,
            })?;
            tracing::info!(path = %path.display(), cluster = socket.cluster, "clients of the tunnel come in here");
            tasks.spawn(serve_unix(listener, self.front, dial));
        }
        if let Some(tls) = &self.tls {
            let acceptor = acceptor(tls, self.front)?;
            let address = tls.listen;
            let listener = TcpListener::bind(address)
                .await
                .map_err(|source| FrontError::Port { address, source })?;
            tracing::info!(%address, "clients of the tunnel come in here");
            tasks.spawn(serve_tls(listener, acceptor, self.front, named()));
        }
        Ok(())
    }
}

fn acceptor(front: &TlsFront, speaks: Front) -> Result<TlsAcceptor, FrontError> {
    let unusable = |path: &Path, source: BoxError| FrontError::File {
        path: path.to_owned(),
        source,
    };
    let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, FrontError> {
        let read = CertificateDer::pem_file_iter(path).map_err(|e| unusable(path, e.into()))?;
        let all: Result<Vec<_>, _> = read.collect();
        let all = all.map_err(|e| unusable(path, e.into()))?;
        if all.is_empty() {
            return Err(unusable(path, "there is no certificate in it".into()));
        }
        Ok(all)
    };
    let tls = |error: BoxError| FrontError::Tls(error);
    let mut roots = RootCertStore::empty();
    for authority in certificates(&front.authority)? {
        roots
            .add(authority)
            .map_err(|e| unusable(&front.authority, e.into()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(|e| tls(e.into()))?;
    let key =
        PrivateKeyDer::from_pem_file(&front.key).map_err(|e| unusable(&front.key, e.into()))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| tls(e.into()))?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates(&front.certificate)?, key)
        .map_err(|e| tls(e.into()))?;
    if speaks == Front::Grpc {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}
