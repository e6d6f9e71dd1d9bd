//! A certificate authority of our own, in a directory.
//!
//! Files: `ca.crt`, `ca.key`, `server.crt`, `server.key`, `admin.crt`, `admin.key`; keys are readable by their owner
//! only. The CA is made once and kept for ten years; the rest is issued anew when a third of its life is left, when the
//! host names change, or when the files do not fit together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::files;
use super::tls;
use crate::seams::Seams;

const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const LEAF_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Certificates start to be valid a bit in the past, for members with slow clocks.
const BACKDATED: u64 = 3600;

/// The certificates of a server cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A certificate or key cannot be made, or the CA's files cannot be used.
    #[error("{what}")]
    Crypto {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The CA's files are there but cannot be used. They are not replaced silently: every client trusts them.
    #[error(
        "the certificate authority in {path} cannot be used; put ca.crt and ca.key back from a copy, or remove the \
         directory to make new certificates, which all clients must then be given"
    )]
    BadAuthority {
        /// The directory.
        path: PathBuf,
        /// What is wrong with them.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The CA is no longer valid. It is not replaced silently: every client trusts it.
    #[error("the certificate authority in {0} has expired; remove the directory to make a new one")]
    Expired(PathBuf),
}

fn crypto<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: &'static str,
) -> impl FnOnce(E) -> CertificatesError {
    move |source| CertificatesError::Crypto {
        what,
        source: source.into(),
    }
}

/// A certificate with its private key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate_pem: String,
    /// Its key: secret.
    pub key_pem: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity { key: <secret> }")
    }
}

/// What an issued certificate is for.
enum Purpose<'a> {
    Server(&'a [String]),
    Client { name: &'a str, group: &'a str },
}

/// The certificates of one server.
#[derive(Clone)]
pub struct Certificates {
    directory: PathBuf,
    hosts: Vec<String>,
    ca: Identity,
    seams: Seams,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificates({})", self.directory.display())
    }
}

impl Certificates {
    /// Opens a directory of certificates, or makes one. The server certificate will be for `localhost`, `127.0.0.1`,
    /// `::1`, the names under which Pods know an API server, and `hosts` (names or addresses).
    ///
    /// # Errors
    /// If files cannot be read or written, hold something else, or the CA has expired.
    pub fn open(
        directory: &Path,
        hosts: &[String],
        seams: &Seams,
    ) -> Result<Self, CertificatesError> {
        files::private_directory(directory).map_err(|source| CertificatesError::File {
            path: directory.to_owned(),
            source,
        })?;
        let mut all: Vec<String> = [
            "localhost",
            "127.0.0.1",
            "::1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        .map(str::to_owned)
        .to_vec();
        all.extend(hosts.iter().filter(|h| !h.is_empty()).cloned());
        all.sort();
        all.dedup();
        let mut certificates = Self {
            directory: directory.to_owned(),
            hosts: all,
            ca: Identity {
                certificate_pem: String::new(),
                key_pem: String::new(),
            },
            seams: seams.clone(),
        };
        certificates.ca = match certificates.read("ca")? {
            Some(ca) => certificates.checked_ca(ca).map_err(|error| match error {
                CertificatesError::Crypto { .. } => certificates.bad_authority(error),
                other => other,
            })?,
            None if certificates.has_issued() => {
                return Err(certificates.bad_authority("ca.crt or ca.key is missing"));
            }
            None => {
                let ca = certificates.make_ca()?;
                certificates.write("ca", &ca)?;
                ca
            }
        };
        Ok(certificates)
    }

    /// Is there anything that a CA must have issued?
    fn has_issued(&self) -> bool {
        ["server.crt", "admin.crt"]
            .iter()
            .any(|file| self.directory.join(file).exists())
    }

    fn bad_authority(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> CertificatesError {
        CertificatesError::BadAuthority {
            path: self.directory.clone(),
            source: source.into(),
        }
    }

    /// The CA's certificate, PEM: what clients must trust, and what knows clients.
    pub fn ca_pem(&self) -> &str {
        &self.ca.certificate_pem
    }

    /// The administrator's client certificate: `kubernetes-admin` in `system:masters`.
    ///
    /// # Errors
    /// If it has to be made and cannot.
    pub fn admin(&self) -> Result<Identity, CertificatesError> {
        self.kept(
            "admin",
            &Purpose::Client {
                name: "kubernetes-admin",
                group: "system:masters",
            },
        )
    }

    /// Issues a client certificate for one year: user `name` in `group` (`""` for none). It is not kept.
    ///
    /// # Errors
    /// If the name cannot stand in a certificate.
    pub fn issue_client(&self, name: &str, group: &str) -> Result<Identity, CertificatesError> {
        self.issue(&Purpose::Client { name, group })
    }

    /// The server's certificate, renewed if that is due. Call it again from time to time.
    ///
    /// # Errors
    /// If it has to be made and cannot.
    pub(crate) fn server_key(&self) -> Result<Arc<CertifiedKey>, CertificatesError> {
        let identity = self.kept("server", &Purpose::Server(&self.hosts))?;
        certified_key(&identity).map(Arc::new)
    }

    /// The CA that knows clients.
    pub(crate) fn client_authorities(
        &self,
    ) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
        Ok(vec![der(&self.ca.certificate_pem)?])
    }

    /// An identity from the directory if it is still good, else a new one, which is kept.
    fn kept(&self, file: &str, purpose: &Purpose<'_>) -> Result<Identity, CertificatesError> {
        if let Some(identity) = self.read(file)?
            && self.is_good(&identity, purpose)
        {
            return Ok(identity);
        }
        let identity = self.issue(purpose)?;
        self.write(file, &identity)?;
        Ok(identity)
    }

    fn is_good(&self, identity: &Identity, purpose: &Purpose<'_>) -> bool {
        let (Ok(key), Ok(ca)) = (certified_key(identity), der(&self.ca.certificate_pem)) else {
            return false;
        };
        let (Some(leaf), Ok((_, ca))) = (key.cert.first(), X509Certificate::from_der(&ca)) else {
            return false;
        };
        let Ok((_, leaf)) = X509Certificate::from_der(leaf) else {
            return false;
        };
        let remaining = leaf.validity().not_after.timestamp() - self.seams.now().as_second();
        let third = i64::try_from(LEAF_LIFE.as_secs() / 3).unwrap_or(i64::MAX);
        leaf.issuer() == ca.subject()
            && remaining > third
            && match purpose {
                Purpose::Server(hosts) => names(&leaf) == hosts.to_vec(),
                Purpose::Client { .. } => true,
            }
    }

    fn make_ca(&self) -> Result<Identity, CertificatesError> {
        let failed = "the certificate authority cannot be made";
        let key = KeyPair::generate().map_err(crypto(failed))?;
        let mut params = self.params(CA_LIFE);
        // The name is unique, so that a leaf of another CA is told by its issuer.
        let name = format!("apiserver-ca-{:08x}", self.seams.random() & 0xffff_ffff);
        params.distinguished_name = distinguished_name(&name, "");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params.self_signed(&key).map_err(crypto(failed))?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    fn checked_ca(&self, ca: Identity) -> Result<Identity, CertificatesError> {
        let failed = "the files of the certificate authority cannot be used";
        let key = certified_key(&ca)?;
        let leaf = key
            .cert
            .first()
            .ok_or("no certificate")
            .map_err(crypto(failed))?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(crypto(failed))?;
        if parsed.validity().not_after.timestamp() <= self.seams.now().as_second() {
            return Err(CertificatesError::Expired(self.directory.clone()));
        }
        Ok(ca)
    }

    fn issue(&self, purpose: &Purpose<'_>) -> Result<Identity, CertificatesError> {
        let failed = "a certificate cannot be issued";
        let ca_key = KeyPair::from_pem(&self.ca.key_pem).map_err(crypto(failed))?;
        let issuer =
            Issuer::from_ca_cert_pem(&self.ca.certificate_pem, ca_key).map_err(crypto(failed))?;
        let key = KeyPair::generate().map_err(crypto(failed))?;
        let mut params = self.params(LEAF_LIFE);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        match purpose {
            Purpose::Server(hosts) => {
                params.distinguished_name = distinguished_name("kube-apiserver", "");
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                for host in *hosts {
                    params.subject_alt_names.push(match host.parse() {
                        Ok(address) => SanType::IpAddress(address),
                        Err(_) => {
                            SanType::DnsName(host.as_str().try_into().map_err(crypto(failed))?)
                        }
                    });
                }
            }
            Purpose::Client { name, group } => {
                params.distinguished_name = distinguished_name(name, group);
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
        }
        let certificate = params.signed_by(&key, &issuer).map_err(crypto(failed))?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    fn params(&self, life: Duration) -> CertificateParams {
        let now = u64::try_from(self.seams.now().as_second()).unwrap_or(0);
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let mut params = CertificateParams::default();
        params.not_before = epoch + Duration::from_secs(now.saturating_sub(BACKDATED));
        params.not_after = epoch + Duration::from_secs(now) + life;
        params
    }

    fn read(&self, file: &str) -> Result<Option<Identity>, CertificatesError> {
        let get = |extension: &str| {
            let path = self.directory.join(format!("{file}.{extension}"));
            match std::fs::read_to_string(&path) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(CertificatesError::File { path, source }),
            }
        };
        Ok(match (get("crt")?, get("key")?) {
            (Some(certificate_pem), Some(key_pem)) => Some(Identity {
                certificate_pem,
                key_pem,
            }),
            _ => None,
        })
    }

    fn write(&self, file: &str, identity: &Identity) -> Result<(), CertificatesError> {
        for (extension, text) in [
            ("key", &identity.key_pem),
            ("crt", &identity.certificate_pem),
        ] {
            let path = self.directory.join(format!("{file}.{extension}"));
            files::write_private(&path, text.as_bytes())
                .map_err(|source| CertificatesError::File { path, source })?;
        }
        Ok(())
    }
}

fn distinguished_name(name: &str, group: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    if !group.is_empty() {
        subject.push(DnType::OrganizationName, group);
    }
    subject.push(DnType::CommonName, name);
    subject
}

fn der(pem: &str) -> Result<CertificateDer<'static>, CertificatesError> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|e| crypto("a certificate cannot be read")(e.to_string()))
}

/// Certificate and key for rustls; an error if they do not belong together.
fn certified_key(identity: &Identity) -> Result<CertifiedKey, CertificatesError> {
    let failed = "a private key cannot be used";
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())
        .map_err(|e| crypto(failed)(e.to_string()))?;
    CertifiedKey::from_der(vec![der(&identity.certificate_pem)?], key, &tls::provider())
        .map_err(crypto(failed))
}

/// The host names of a certificate, sorted.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let mut names: Vec<String> = extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes)
                    .ok()
                    .map(|b| std::net::IpAddr::from(b).to_string()),
                16 => <[u8; 16]>::try_from(*bytes)
                    .ok()
                    .map(|b| std::net::IpAddr::from(b).to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::auth::{ClientCertificate, x509};

    fn at(seconds: &Arc<AtomicI64>) -> Seams {
        let seconds = seconds.clone();
        Seams::new(
            move || jiff::Timestamp::from_second(seconds.load(Ordering::Relaxed)).unwrap(),
            || 0x5eed,
        )
    }

    #[test]
    fn certificates_are_kept_until_they_are_due() {
        let clock = Arc::new(AtomicI64::new(1_800_000_000));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pki");
        let open = |hosts: &[&str]| {
            let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
            Certificates::open(&path, &hosts, &at(&clock)).unwrap()
        };
        let first = open(&[]);
        let server = first.server_key().unwrap();
        let admin = first.admin().unwrap();
        let again = open(&[]);
        assert_eq!(first.ca_pem(), again.ca_pem());
        assert_eq!(again.admin().unwrap(), admin);
        assert_eq!(again.server_key().unwrap().cert, server.cert);
        let named = open(&["hub.example", "10.0.0.1"]);
        assert_ne!(named.server_key().unwrap().cert, server.cert);
        clock.fetch_add(9 * 30 * 24 * 3600, Ordering::Relaxed);
        let later = open(&["hub.example", "10.0.0.1"]);
        assert_ne!(later.admin().unwrap(), admin);
        clock.fetch_add(11 * 365 * 24 * 3600, Ordering::Relaxed);
        let expired = Certificates::open(&path, &[], &at(&clock));
        assert!(matches!(expired, Err(CertificatesError::Expired(_))));
    }

    /// Damaged leaves are issued anew; a damaged or lost CA is said, not replaced.
    #[test]
    fn a_lost_authority_is_not_replaced_silently() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let open = || Certificates::open(path, &[], &Seams::system());
        let first = open().unwrap();
        first.admin().unwrap();
        std::fs::write(path.join("admin.crt"), "garbage").unwrap();
        open().unwrap().admin().unwrap();
        for file in ["ca.crt", "ca.key"] {
            let good = std::fs::read(path.join(file)).unwrap();
            std::fs::write(path.join(file), "garbage").unwrap();
            let error = open().unwrap_err();
            assert!(
                matches!(error, CertificatesError::BadAuthority { .. }),
                "{error}"
            );
            std::fs::remove_file(path.join(file)).unwrap();
            let error = open().unwrap_err();
            assert!(error.to_string().contains("from a copy"), "{error}");
            std::fs::write(path.join(file), good).unwrap();
        }
        assert_eq!(open().unwrap().ca_pem(), first.ca_pem());
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let certificates = Certificates::open(directory.path(), &[], &Seams::system()).unwrap();
        certificates.admin().unwrap();
        for file in ["ca.key", "admin.key"] {
            let mode = std::fs::metadata(directory.path().join(file))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn issued_clients_are_known_by_name_and_strangers_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let seams = Seams::system();
        let ours = Certificates::open(&directory.path().join("a"), &[], &seams).unwrap();
        let theirs = Certificates::open(&directory.path().join("b"), &[], &seams).unwrap();
        let tls = tls::Tls::new(
            ours.server_key().unwrap(),
            &ours.client_authorities().unwrap(),
        )
        .unwrap();
        let now = u64::try_from(seams.now().as_second()).unwrap();
        let judge = |identity: &Identity| {
            let chain = [der(&identity.certificate_pem).unwrap()];
            x509::judge(&chain, &tls.clients, now)
        };
        let ClientCertificate::Valid { user, not_after } =
            judge(&ours.issue_client("alice", "dev").unwrap())
        else {
            panic!("our own certificate is valid")
        };
        assert_eq!(user.name, "alice");
        assert_eq!(user.groups, ["dev", "system:authenticated"]);
        assert!(not_after > now);
        let stranger = theirs.issue_client("alice", "dev").unwrap();
        assert_eq!(judge(&stranger), ClientCertificate::Rejected);
        let server = ours.read("server").unwrap().unwrap();
        assert_eq!(
            judge(&server),
            ClientCertificate::Rejected,
            "a server certificate is no client's"
        );
    }
}
