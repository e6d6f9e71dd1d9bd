//! TLS: a server certificate that can be replaced while serving, and client certificates that are asked for but not
//! demanded.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
};

/// HTTP/2, as TLS calls it.
pub(crate) const HTTP2: &[u8] = b"h2";

/// What connections are accepted with.
#[derive(Debug)]
pub(crate) struct Tls {
    /// Configuration of the handshake.
    pub(crate) config: Arc<ServerConfig>,
    /// Judges client certificates after the handshake.
    pub(crate) clients: Arc<dyn ClientCertVerifier>,
    current: Arc<Current>,
}

/// A TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A CA certificate for clients cannot be used.
    #[error("a certificate authority for clients cannot be used")]
    ClientAuthority(#[source] Error),
    /// There is no CA for clients.
    #[error("the certificate authorities for clients cannot be used")]
    ClientAuthorities(#[source] rustls::server::VerifierBuilderError),
    /// The TLS library refuses its own defaults.
    #[error("the TLS library refuses its protocol versions")]
    Versions(#[source] Error),
}

/// The cryptography of every TLS connection: ring.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Tls {
    /// Serves with `key`, and knows clients by certificates from `client_authorities`.
    pub(crate) fn new(
        key: Arc<CertifiedKey>,
        client_authorities: &[CertificateDer<'static>],
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in client_authorities {
            roots
                .add(authority.clone())
                .map_err(TlsError::ClientAuthority)?;
        }
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(TlsError::ClientAuthorities)?;
        let current = Arc::new(Current(ArcSwap::new(key)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Versions)?
            .with_client_cert_verifier(Arc::new(Deferred(clients.clone())))
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            clients,
            current,
        })
    }

    /// Serves new connections with another certificate.
    pub(crate) fn replace(&self, key: Arc<CertifiedKey>) {
        self.current.0.store(key);
    }
}

/// The server certificate of the moment.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Takes any client certificate whose key the client proves to hold. Whether it is valid is judged after the
/// handshake, so that a client with a bad certificate gets a 401 with a body instead of a broken connection, as from
/// kube-apiserver.
#[derive(Debug)]
struct Deferred(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Deferred {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
