//! How an agent reaches servers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsConnector;

use crate::address::HostPort;
use crate::connect::TcpConnector;
use crate::seams::{BoxIo, Connector};

/// Opens connections to the servers behind one address.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// A connection to any of them, authenticated, with `h2` negotiated. May be dropped at any time; the caller limits how long it takes.
    async fn connect(&self) -> io::Result<BoxIo>;
}

/// Servers behind TLS on TCP, as upstream's are (`--proxy-server-host`, `--proxy-server-port`).
#[derive(Clone, Debug)]
pub struct TlsServers {
    address: HostPort,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    connector: TcpConnector,
}

/// A host or port that no server can be reached by.
#[derive(Debug, thiserror::Error)]
#[error("{host}:{port} cannot be connected to")]
pub struct ServerAddressError {
    host: String,
    port: u16,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl TlsServers {
    /// Servers at a host and port. The configuration says whom to trust and who the agent is; `h2` is added to its protocols.
    ///
    /// # Errors
    /// The host is neither a DNS name nor an address, or the port is 0.
    pub fn new(
        host: &str,
        port: u16,
        mut config: ClientConfig,
    ) -> Result<Self, ServerAddressError> {
        let unusable = |source| ServerAddressError {
            host: host.to_owned(),
            port,
            source,
        };
        let h2 = b"h2".to_vec();
        if !config.alpn_protocols.contains(&h2) {
            config.alpn_protocols.push(h2);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|e| unusable(e.into()))?;
        let parsed = host.parse().and_then(|host| HostPort::new(host, port));
        Ok(Self {
            address: parsed.map_err(|e| unusable(e.into()))?,
            name,
            config: Arc::new(config),
            connector: TcpConnector::default(),
        })
    }

    /// Goes out another way than straight.
    #[must_use]
    pub fn through(self, connector: TcpConnector) -> Self {
        Self { connector, ..self }
    }
}

#[async_trait]
impl Servers for TlsServers {
    async fn connect(&self) -> io::Result<BoxIo> {
        let socket = self.connector.connect(&self.address).await?;
        let tls = TlsConnector::from(Arc::clone(&self.config))
            .connect(self.name.clone(), socket)
            .await?;
        Ok(Box::new(tls))
    }
}

/// As [`TlsServers`], with files that are read for each connection: who renews them need not restart the agent.
#[derive(Clone, Debug)]
pub struct FileServers {
    /// Name or address of the servers, which their certificates must carry.
    pub host: String,
    /// Their port for agents.
    pub port: u16,
    /// Their certificate authority (`--ca-cert`).
    pub authority: PathBuf,
    /// The agent's certificate and key (`--agent-cert`, `--agent-key`); `None` where a token says who it is.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The way out: straight, or through an HTTP proxy.
    pub connector: TcpConnector,
}

impl FileServers {
    fn config(&self) -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&self.authority)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        Ok(match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<_, _>>()?;
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
            }
        })
    }
}

#[async_trait]
impl Servers for FileServers {
    async fn connect(&self) -> io::Result<BoxIo> {
        let config = self.config().map_err(io::Error::other)?;
        TlsServers::new(&self.host, self.port, config)
            .map_err(io::Error::other)?
            .through(self.connector.clone())
            .connect()
            .await
    }
}
