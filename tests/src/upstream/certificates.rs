//! The certificates of one control plane.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::json;

/// A certificate with its private key, both PEM. Worth nothing outside its test.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate_pem: String,
    /// Its key.
    pub key_pem: String,
}

/// A certificate authority of its own for each control plane.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, whose files `ca.crt` and `ca.key` are put into a directory.
    ///
    /// # Panics
    /// The directory cannot be written to.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "koinon-test-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate_pem = params.self_signed(&key).expect("a new CA").pem();
        write(&directory.join("ca.crt"), &certificate_pem);
        write(&directory.join("ca.key"), &key.serialize_pem());
        Self {
            certificate_pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// The CA's certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate for a server on loopback, also under these names.
    ///
    /// # Panics
    /// A name is none.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> Identity {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "koinon-test-server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        params.subject_alt_names = vec![SanType::IpAddress(loopback)];
        for name in names {
            let name = SanType::DnsName((*name).try_into().expect("a host name"));
            params.subject_alt_names.push(name);
        }
        self.sign(params)
    }

    /// A certificate for a user in a group.
    ///
    /// # Panics
    /// The name cannot stand in a certificate.
    #[must_use]
    pub fn client(&self, user: &str, group: Option<&str>) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            let name = DnType::OrganizationName;
            params.distinguished_name.push(name, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// The text of a kubeconfig for a user in a group; it needs no other file. Its cluster, its user and its one context have the
    /// given name.
    #[must_use]
    pub fn kubeconfig(&self, name: &str, server: &str, user: &str, group: Option<&str>) -> String {
        let identity = self.client(user, group);
        let base64 = |pem: &str| STANDARD.encode(pem);
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {
                "server": server,
                "certificate-authority-data": base64(&self.certificate_pem),
            }}],
            "users": [{"name": name, "user": {
                "client-certificate-data": base64(&identity.certificate_pem),
                "client-key-data": base64(&identity.key_pem),
            }}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        })
        .to_string()
    }

    fn sign(&self, mut params: CertificateParams) -> Identity {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("randomness");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }
}

impl Identity {
    /// Writes `<name>.crt` and `<name>.key` and returns where.
    pub(super) fn write(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let certificate = directory.join(format!("{name}.crt"));
        let key = directory.join(format!("{name}.key"));
        write(&certificate, &self.certificate_pem);
        write(&key, &self.key_pem);
        (certificate, key)
    }
}

/// The key pair that signs service account tokens: `sa.key`, and `sa.pub` to check them with.
pub(super) fn write_service_account_keys(directory: &Path) {
    let key = KeyPair::generate().expect("randomness");
    write(&directory.join("sa.key"), &key.serialize_pem());
    write(&directory.join("sa.pub"), &key.public_key_pem());
}

pub(super) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
