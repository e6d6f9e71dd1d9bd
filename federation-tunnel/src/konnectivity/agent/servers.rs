//! How an agent reaches servers.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use rustls_pki_types::ServerName;
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
    config: Arc<rustls::ClientConfig>,
}

impl TlsServers {
    /// Servers at a host and port. The configuration says whom to trust and who the agent is; `h2` is added to its protocols.
    ///
    /// # Errors
    /// The host is neither a DNS name nor an address.
    pub fn new(
        host: &str,
        port: u16,
        mut config: rustls::ClientConfig,
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
