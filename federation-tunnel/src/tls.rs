//! The TLS settings of both ends: 1.3 only, *ring*, and certificates from the tunnel's own authority.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::identity::{AgentIdentity, ServerIdentity, Trust};
use crate::seams::Seams;
use crate::wire::{ALPN_PEER, Refusal};

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up")]
pub struct TlsError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(source: E) -> TlsError {
    TlsError(source.into())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A hub's listener. Client certificates are asked for and checked; whether one is needed depends on the protocol, so the caller decides. Sessions
/// are not resumed: every connection shows its certificate anew.
pub(crate) fn server(
    identity: ServerIdentity,
    authorities: &[CertificateDer<'static>],
    protocols: Vec<Vec<u8>>,
    seams: &Seams,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(failed)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider())
        .allow_unauthenticated()
        .build()
        .map_err(failed)?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(seams.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)
        .map_err(failed)?;
    config.alpn_protocols = protocols;
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// An agent's connection for one protocol.
pub(crate) fn client(
    trust: &Trust,
    identity: Option<&AgentIdentity>,
    protocol: &[u8],
    seams: &Seams,
) -> Result<Arc<ClientConfig>, TlsError> {
    let presented = identity.map(|identity| (identity.chain(), identity.key()));
    client_with(trust, presented, protocol, seams)
}

fn client_with(
    trust: &Trust,
    presented: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    protocol: &[u8],
    seams: &Seams,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let verifier = trust.verifier(&provider).map_err(failed)?;
    let builder = ClientConfig::builder_with_details(provider, Arc::new(seams.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match presented {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(failed)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// A process of the hub that connects to another one.
pub(crate) fn peer_client(
    authorities: &[CertificateDer<'static>],
    identity: ServerIdentity,
    seams: &Seams,
) -> Result<Arc<ClientConfig>, TlsError> {
    let trust = Trust::Authorities(authorities.to_vec());
    let presented = Some((identity.chain, identity.key));
    client_with(&trust, presented, ALPN_PEER, seams)
}

/// Why a handshake failed, as the hub counts it.
pub(crate) fn classify(error: &std::io::Error) -> Refusal {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidCertificate(problem)) => match problem {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Refusal::ExpiredCertificate,
            CertificateError::Revoked => Refusal::Revoked,
            _ => Refusal::UntrustedCertificate,
        },
        Some(Error::NoCertificatesPresented) => Refusal::NoCertificate,
        _ => Refusal::Protocol,
    }
}
