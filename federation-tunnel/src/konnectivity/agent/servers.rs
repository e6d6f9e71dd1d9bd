//! How an agent reaches servers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::seams::BoxIo;

/// Opens connections to the servers behind one address.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// A connection to any of them, authenticated, with `h2` negotiated. May be dropped at any time; the caller limits how long it takes.
    async fn connect(&self) -> io::Result<BoxIo>;
}

/// Servers behind TLS on TCP, as upstream's are (`--proxy-server-host`, `--proxy-server-port`).
#[derive(Clone, Debug)]
pub struct TlsServers {
    address: String,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl TlsServers {
    /// Servers at a host and port. The configuration says whom to trust and who the agent is; `h2` is added to its protocols.
    ///
    /// # Errors
    /// The host is neither a DNS name nor an address.
    pub fn new(
        host: &str,
        port: u16,
        mut config: ClientConfig,
    ) -> Result<Self, rustls_pki_types::InvalidDnsNameError> {
        let h2 = b"h2".to_vec();
        if !config.alpn_protocols.contains(&h2) {
            config.alpn_protocols.push(h2);
        }
        let name = ServerName::try_from(host.to_owned())?;
        let address = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        Ok(Self {
            address,
            name,
            config: Arc::new(config),
        })
    }
}

#[async_trait]
impl Servers for TlsServers {
    async fn connect(&self) -> io::Result<BoxIo> {
        let socket = TcpStream::connect(&self.address).await?;
        socket.set_nodelay(true)?;
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
            .connect()
            .await
    }
}
