//! How a server is reached: what a kubeconfig with a client certificate says.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio_rustls::TlsConnector;

/// The address of a server, and the TLS session of one of its administrators.
#[derive(Clone)]
pub(crate) struct Access {
    /// `host:port`.
    pub(crate) authority: String,
    pub(crate) tls: TlsConnector,
}

impl Access {
    /// Reads a kubeconfig that has everything in itself.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let config: Value = serde_saphyr::from_str(&text).context("understand the kubeconfig")?;
        let (cluster, user) = (
            &config["clusters"][0]["cluster"],
            &config["users"][0]["user"],
        );
        let authority = cluster["server"]
            .as_str()
            .and_then(|url| url.strip_prefix("https://"))
            .context("no server")?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&cluster["certificate-authority-data"])? {
            roots.add(certificate)?;
        }
        let key = PrivateKeyDer::from_pem_slice(&pem(&user["client-key-data"])?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&user["client-certificate-data"])?, key)?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            authority: authority.trim_end_matches('/').to_owned(),
            tls: TlsConnector::from(Arc::new(tls)),
        })
    }
}

fn pem(data: &Value) -> Result<Vec<u8>> {
    let text = data.as_str().context("something is not in the file")?;
    STANDARD.decode(text).context("no base64")
}

fn certificates(data: &Value) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(&pem(data)?)
        .map(|certificate| Ok(certificate?))
        .collect()
}
