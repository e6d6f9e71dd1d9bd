//! The agent's side: its key, and what it presents.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{AgentCertificate, Cause, CertificateProblem};

/// A key or an identity cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The cryptographic library failed, or the text is not a private key.
    #[error("the agent's private key cannot be used")]
    Key(#[source] Cause),
    /// The text is not a certificate chain.
    #[error("the agent's certificate cannot be read")]
    Chain(#[source] Cause),
    /// The certificate is not an agent's.
    #[error("the agent's certificate is of no use")]
    Certificate(#[from] CertificateProblem),
    /// Certificate and key do not belong together.
    #[error("the agent's certificate is for another key")]
    Mismatch,
}

fn key_error<E: Into<Cause>>(source: E) -> IdentityError {
    IdentityError::Key(source.into())
}

/// An agent's private key, made in the member. It leaves the process only for the agent's own state, never for the hub.
pub struct AgentKey(KeyPair);

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentKey(<secret>)")
    }
}

impl AgentKey {
    /// Makes a new ECDSA P-256 key.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn generate() -> Result<Self, IdentityError> {
        KeyPair::generate().map(Self).map_err(key_error)
    }

    /// Reads [`AgentKey::to_pem`]'s text.
    ///
    /// # Errors
    /// If it is not a PKCS#8 private key.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        KeyPair::from_pem(pem).map(Self).map_err(key_error)
    }

    /// PKCS#8 PEM: a secret, for the agent's own state.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// A certificate request that says nothing but "this key is mine", DER.
    ///
    /// # Errors
    /// If signing fails.
    pub fn request(&self) -> Result<Vec<u8>, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&self.0).map_err(key_error)?;
        Ok(request.der().to_vec())
    }
}

/// What an agent presents: certificate chain and key.
pub struct AgentIdentity {
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key: PrivatePkcs8KeyDer<'static>,
    key_pem: String,
    certificate: AgentCertificate,
}

impl fmt::Debug for AgentIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentIdentity")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl AgentIdentity {
    /// Puts a chain (leaf first) and the key together that it was issued for.
    ///
    /// # Errors
    /// If the leaf is not an agent's certificate, or for another key.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &AgentKey) -> Result<Self, IdentityError> {
        let leaf = chain
            .first()
            .ok_or_else(|| IdentityError::Chain("there is no certificate".into()))?;
        let certificate = AgentCertificate::read(leaf)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(leaf)
            .map_err(|e| IdentityError::Chain(e.to_string().into()))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.0.public_key_raw() {
            return Err(IdentityError::Mismatch);
        }
        Ok(Self {
            chain_pem: chain.iter().map(|der| pem("CERTIFICATE", der)).collect(),
            chain,
            key: PrivatePkcs8KeyDer::from(key.0.serialize_der()),
            key_pem: key.to_pem(),
            certificate,
        })
    }

    /// Reads an identity from PEM texts.
    ///
    /// # Errors
    /// As [`AgentIdentity::new`], and if a text cannot be read.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| IdentityError::Chain(e.to_string().into()))?;
        Self::new(chain, &AgentKey::from_pem(key_pem)?)
    }

    /// What the certificate says.
    #[must_use]
    pub fn certificate(&self) -> &AgentCertificate {
        &self.certificate
    }

    /// The chain as PEM, leaf first.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The key as PKCS#8 PEM: a secret, for the agent's own state.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key().into()
    }
}

/// PEM armour (RFC 7468), 64 characters per line.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|&b| char::from(b)));
        text.push('\n');
    }
    text + "-----END " + label + "-----\n"
}
