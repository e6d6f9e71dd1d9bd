//! Certificates with their keys: making and reading them.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A certificate starts to be valid this long before it is made, for peers with slow clocks; a tenth of its life if that is
/// shorter.
const BACKDATED: Duration = Duration::from_secs(3600);

/// A certificate or key cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct CertificateError {
    what: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: &'static str,
) -> impl FnOnce(E) -> CertificateError {
    move |source| CertificateError {
        what,
        source: source.into(),
    }
}

/// A certificate (or chain, the leaf first) with its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The certificate.
    pub(crate) certificate_pem: String,
    /// Its key: secret.
    pub(crate) key_pem: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity { key: <secret> }")
    }
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Particulars {
    not_before: i64,
    pub(crate) not_after: i64,
    /// Host names and addresses, sorted.
    pub(crate) hosts: Vec<String>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

impl Particulars {
    /// Of the first certificate of a PEM.
    pub(crate) fn of(pem: &str) -> Result<Self, CertificateError> {
        let what = "a certificate cannot be read";
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| failed(what)(error.to_string()))?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(failed(what))?;
        Ok(Self {
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            hosts: hosts(&parsed),
            subject: parsed.subject().as_raw().to_vec(),
            issuer: parsed.issuer().as_raw().to_vec(),
        })
    }

    /// Is less than a third of its life left?
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.not_after - now.as_second() < (self.not_after - self.not_before) / 3
    }

    /// Is it no longer valid?
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.not_after <= now.as_second()
    }

    /// When it was made, as far as its dates tell.
    pub(crate) fn made_at(&self) -> i64 {
        let total = u64::try_from(self.not_after - self.not_before).unwrap_or(0);
        let back = BACKDATED.min(Duration::from_secs(total / 11)).as_secs();
        self.not_before + i64::try_from(back).unwrap_or(0)
    }

    /// Was it issued by the other? By name: every CA of ours has one of its own.
    pub(crate) fn is_issued_by(&self, authority: &Self) -> bool {
        self.issuer == authority.subject
    }
}

impl Identity {
    /// A new CA that is valid for `life`. `random` makes its name unique, so that what it signs is told by its issuer.
    pub(crate) fn authority(
        now: Timestamp,
        life: Duration,
        random: u128,
    ) -> Result<Self, CertificateError> {
        let what = "the certificate authority cannot be made";
        let key = KeyPair::generate().map_err(failed(what))?;
        let mut params = params(now, life);
        params.distinguished_name =
            name(&format!("koinon-webhook-ca-{:08x}", random & 0xffff_ffff));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params.self_signed(&key).map_err(failed(what))?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// A serving certificate for `hosts` (names or addresses), signed by this CA, that is valid for `life` or as long as the CA.
    pub(crate) fn issue(
        &self,
        now: Timestamp,
        life: Duration,
        hosts: &[String],
    ) -> Result<Self, CertificateError> {
        let what = "the serving certificate cannot be issued";
        let left = Particulars::of(&self.certificate_pem)?.not_after - now.as_second();
        let life = life.min(Duration::from_secs(u64::try_from(left).unwrap_or(0)));
        let signer = KeyPair::from_pem(&self.key_pem).map_err(failed(what))?;
        let issuer =
            Issuer::from_ca_cert_pem(&self.certificate_pem, signer).map_err(failed(what))?;
        let key = KeyPair::generate().map_err(failed(what))?;
        let mut params = params(now, life);
        params.distinguished_name = name("koinon-webhook");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        for host in hosts {
            params.subject_alt_names.push(match host.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into().map_err(failed(what))?),
            });
        }
        let certificate = params.signed_by(&key, &issuer).map_err(failed(what))?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// For rustls; an error if certificate and key do not belong together.
    pub(crate) fn certified_key(&self) -> Result<CertifiedKey, CertificateError> {
        let what = "the serving certificate and its key cannot be used";
        let chain = CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(what)(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())
            .map_err(|error| failed(what)(error.to_string()))?;
        CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
            .map_err(failed(what))
    }
}

fn params(now: Timestamp, life: Duration) -> CertificateParams {
    let now = u64::try_from(now.as_second()).unwrap_or(0);
    let back = BACKDATED.min(life / 10).as_secs();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(now.saturating_sub(back));
    params.not_after = epoch + Duration::from_secs(now) + life;
    params
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// The host names and addresses of a certificate, sorted.
fn hosts(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let address = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes)
            .ok()
            .map(|four| std::net::IpAddr::from(four).to_string()),
        16 => <[u8; 16]>::try_from(bytes)
            .ok()
            .map(|sixteen| std::net::IpAddr::from(sixteen).to_string()),
        _ => None,
    };
    let mut hosts: Vec<String> = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    hosts.sort();
    hosts
}
