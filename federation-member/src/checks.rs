//! Which checks of a server's certificate are made.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Checks that are left out. The default leaves out none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsChecks {
    /// Trust any certificate.
    pub skip_all: bool,
    /// Accept a certificate of a trusted authority for another host.
    pub skip_subject_name: bool,
    /// Accept a certificate of a trusted authority that is expired or not yet valid.
    pub skip_validity_period: bool,
}

impl TlsChecks {
    /// True if the ordinary checks apply but for some.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.skip_all && (self.skip_subject_name || self.skip_validity_period)
    }
}

/// The ordinary verifier, less the checks that are left out. The chain to a trusted root and the proof of possession
/// are always checked.
#[derive(Debug)]
pub struct Lenient {
    ordinary: Arc<WebPkiServerVerifier>,
    checks: TlsChecks,
}

/// A chain may hold several certificates outside their validity; each round of [`Lenient`] gets past one.
const VALIDITY_ROUNDS: usize = 8;

impl Lenient {
    /// A verifier that trusts `roots` (DER).
    ///
    /// # Errors
    /// If a root cannot be read or there is none.
    pub fn new(roots: &[Vec<u8>], checks: TlsChecks) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        for der in roots {
            store.add(CertificateDer::from(der.as_slice()).into_owned())?;
        }
        let ordinary = WebPkiServerVerifier::builder(Arc::new(store))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(Self { ordinary, checks })
    }
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut now = now;
        let mut outcome = Err(Error::InvalidCertificate(CertificateError::Expired));
        for _ in 0..VALIDITY_ROUNDS {
            outcome = self.ordinary.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
            match (&outcome, self.checks.skip_validity_period) {
                (
                    Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                        not_after,
                        ..
                    })),
                    true,
                ) => {
                    now = *not_after;
                }
                (
                    Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                        not_before,
                        ..
                    })),
                    true,
                ) => {
                    now = *not_before;
                }
                _ => break,
            }
        }
        match outcome {
            // The name is checked last, so everything else about the certificate was found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.checks.skip_subject_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.ordinary.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.ordinary.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.ordinary.supported_verify_schemes()
    }
}

/// Takes every certificate, as `disabledTLSValidations: ["*"]` asks. The peer must still prove that it has its key.
#[derive(Debug)]
pub struct Unchecked {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Unchecked {
    /// One with the process's cryptography.
    #[must_use]
    pub fn new() -> Self {
        let algorithms = CryptoProvider::get_default().map_or_else(
            || rustls::crypto::ring::default_provider().signature_verification_algorithms,
            |provider| provider.signature_verification_algorithms,
        );
        Self { algorithms }
    }
}

impl Default for Unchecked {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
