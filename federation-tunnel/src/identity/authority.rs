//! The certificate authority of the tunnel.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::GeneralName;

use super::{Cause, KeyDigest, Pin};
use crate::cluster::ClusterId;
use crate::seams::Seams;
use crate::wire::HUB_SERVER_NAME;

/// Certificates begin a bit in the past, for members whose clocks are slow.
pub(super) const BACKDATED: Duration = Duration::from_secs(300);
/// An authority outlives the hardware it was made on.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A certificate cannot be made, or an authority's files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The PEM text of certificate or key cannot be used.
    #[error("the tunnel's certificate authority cannot be used")]
    Unusable(#[source] Cause),
    /// A host name that no certificate can carry.
    #[error("{0:?} cannot be in a certificate")]
    Host(String),
    /// A certificate cannot be made.
    #[error("a certificate cannot be made")]
    Issue(#[source] Cause),
    /// The request is damaged, badly signed, or for a key that is not ECDSA P-256.
    #[error("the certificate request cannot be used")]
    Request(#[source] Cause),
}

/// What a hub's listener presents.
#[derive(Debug)]
pub struct ServerIdentity {
    /// Leaf first, and the authority's own certificate last, so that agents that know only its hash can check the rest.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key. `Debug` does not show it.
    pub key: PrivateKeyDer<'static>,
}

/// Signs agents' and hubs' certificates. Its key is used for nothing else: whatever it signs may serve as some cluster or hub.
pub struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
    issuer: Issuer<'static, KeyPair>,
    seams: Seams,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.pin())
    }
}

fn issue<E: Into<Cause>>(source: E) -> AuthorityError {
    AuthorityError::Issue(source.into())
}

impl Authority {
    /// Makes a new authority, valid for ten years.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn generate(seams: &Seams) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate().map_err(issue)?;
        let mut params = params(seams, AUTHORITY_LIFE);
        // A name of its own, so that authorities that follow one another are told apart in chains.
        let name = format!("koinon-tunnel-{:08x}", seams.random() >> 96);
        params.distinguished_name = common_name(&name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(issue)?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem(), seams)
    }

    /// An authority from what [`Authority::certificate_pem`] and [`Authority::key_pem`] gave.
    ///
    /// # Errors
    /// If the texts are not a CA certificate and its key.
    pub fn from_pem(
        certificate_pem: &str,
        key_pem: &str,
        seams: &Seams,
    ) -> Result<Self, AuthorityError> {
        let unusable = |source: Cause| AuthorityError::Unusable(source);
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|e| unusable(e.to_string().into()))?;
        let key = KeyPair::from_pem(key_pem).map_err(|e| unusable(e.into()))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|e| unusable(e.to_string().into()))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(unusable("the key is not the certificate's".into()));
        }
        if !parsed.is_ca() {
            return Err(unusable("the certificate is not an authority's".into()));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|e| unusable(e.into()))?;
        Ok(Self {
            certificate,
            certificate_pem: certificate_pem.to_owned(),
            key_pem: key_pem.to_owned(),
            issuer,
            seams: seams.clone(),
        })
    }

    /// The authority's certificate: what agents trust.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The same as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key as PKCS#8 PEM: a secret that can become every cluster.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The hash of its public key, which fits on a command line.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin::of(&self.certificate)
            .expect("the certificate was parsed when the authority was made or read")
    }

    /// A certificate for hubs that agents reach as `hosts` (names or addresses) or as [`HUB_SERVER_NAME`], with a key of its own.
    ///
    /// # Errors
    /// If a host cannot be in a certificate, or signing fails.
    pub fn issue_server(
        &self,
        hosts: &[String],
        life: Duration,
    ) -> Result<ServerIdentity, AuthorityError> {
        let key = KeyPair::generate().map_err(issue)?;
        let mut params = params(&self.seams, life);
        params.distinguished_name = common_name("koinon-hub");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for host in std::iter::once(HUB_SERVER_NAME).chain(hosts.iter().map(String::as_str)) {
            params.subject_alt_names.push(match host.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(
                    host.try_into()
                        .map_err(|_| AuthorityError::Host(host.to_owned()))?,
                ),
            });
        }
        let leaf = params.signed_by(&key, &self.issuer).map_err(issue)?;
        Ok(ServerIdentity {
            chain: vec![leaf.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// A certificate by which a process of the hub shows the others that it is one, with a key of its own.
    ///
    /// # Errors
    /// If the name cannot be in a certificate, or signing fails.
    pub fn issue_peer(&self, name: &str, life: Duration) -> Result<ServerIdentity, AuthorityError> {
        let key = KeyPair::generate().map_err(issue)?;
        let mut params = params(&self.seams, life);
        params.distinguished_name = common_name("koinon-hub");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let uri = format!("{PEER}{name}");
        let uri = uri
            .as_str()
            .try_into()
            .map_err(|_| AuthorityError::Host(name.to_owned()))?;
        params.subject_alt_names.push(SanType::URI(uri));
        let leaf = params.signed_by(&key, &self.issuer).map_err(issue)?;
        Ok(ServerIdentity {
            chain: vec![leaf.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// Reads a certificate request, checks that its sender holds the key, and returns that key's hash. Nothing else of the request is used.
    ///
    /// # Errors
    /// If the request is damaged, its signature is wrong, or the key is not ECDSA P-256.
    pub fn key_of_request(request: &[u8]) -> Result<KeyDigest, AuthorityError> {
        let parsed = parse(request)?;
        Ok(KeyDigest::of(rcgen::PublicKeyData::der_bytes(
            &parsed.public_key,
        )))
    }

    /// Signs a client certificate for the key of `request`, that lists exactly `clusters`, whatever the request asks for.
    ///
    /// # Errors
    /// As [`Authority::key_of_request`], and if signing fails.
    pub fn issue_agent(
        &self,
        request: &[u8],
        clusters: &[ClusterId],
        life: Duration,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let parsed = parse(request)?;
        let mut params = params(&self.seams, life);
        let first = clusters
            .first()
            .ok_or_else(|| issue("a certificate must name a cluster"))?;
        // A common name holds 64 characters; nobody decides by it.
        let name: String = first.name().as_str().chars().take(64).collect();
        params.distinguished_name = common_name(&name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        for cluster in clusters {
            let uri = cluster.to_uri().as_str().try_into().map_err(issue)?;
            params.subject_alt_names.push(SanType::URI(uri));
        }
        let leaf = params
            .signed_by(&parsed.public_key, &self.issuer)
            .map_err(issue)?;
        Ok(leaf.der().clone())
    }
}

fn parse(request: &[u8]) -> Result<CertificateSigningRequestParams, AuthorityError> {
    let refused = |source: Cause| AuthorityError::Request(source);
    let der = CertificateSigningRequestDer::from(request);
    let parsed = CertificateSigningRequestParams::from_der(&der).map_err(|e| refused(e.into()))?;
    if parsed.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(refused("the key is not ECDSA P-256".into()));
    }
    Ok(parsed)
}

/// How a process of the hub is written in the URI SAN of its certificate: `koinon:hub:<name>`. Agents' begin with `koinon:cluster:`.
const PEER: &str = "koinon:hub:";

/// The process of the hub that a certificate of the authority names; `None` if it names none.
pub(crate) fn peer_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::URI(uri) => uri.strip_prefix(PEER).map(str::to_owned),
            _ => None,
        })
}

/// Parameters that all our certificates share. The serial number is random: the library's own would repeat with the key.
fn params(seams: &Seams, life: Duration) -> CertificateParams {
    let now = Duration::from_secs(seams.now().as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + now + life;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let digest = Sha256::digest(seams.random().to_be_bytes());
    let mut serial = digest[..16].to_vec();
    // Positive, and of one length.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}
