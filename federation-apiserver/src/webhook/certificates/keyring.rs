//! What the webhook's Secret holds.

use std::collections::BTreeMap;

use federation_api::names::SECRET_CA_KEY;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Identity;

/// The keys of the Secret. `tls.crt`, `tls.key` and `ca.crt` are those of every Secret of type `kubernetes.io/tls`.
const SERVING: (&str, &str) = ("tls.crt", "tls.key");
const SIGNER: (&str, &str) = ("signer.crt", "signer.key");
const NEXT: (&str, &str) = ("next.crt", "next.key");

/// A CA that signs, perhaps one that is to follow it, all that are trusted, and the serving certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyring {
    /// Signs serving certificates.
    pub(super) signer: Identity,
    /// Trusted already, and to sign next.
    pub(super) next: Option<Identity>,
    /// Certificates of CAs, each PEM, in the order in which they are to be published.
    pub(super) trusted: Vec<String>,
    /// What is served with.
    pub(crate) serving: Identity,
}

impl Keyring {
    /// From a Secret's data; `None` if that is not one, whatever it is: then a new one must be made.
    pub(crate) fn from_data(data: &BTreeMap<String, Vec<u8>>) -> Option<Self> {
        let text = |key: &str| String::from_utf8(data.get(key)?.clone()).ok();
        let identity = |(certificate, key): (&str, &str)| {
            Some(Identity {
                certificate_pem: text(certificate)?,
                key_pem: text(key)?,
            })
        };
        Some(Self {
            signer: identity(SIGNER)?,
            next: identity(NEXT),
            trusted: split(&text(SECRET_CA_KEY)?),
            serving: identity(SERVING)?,
        })
    }

    /// As a Secret's data.
    pub(crate) fn to_data(&self) -> BTreeMap<String, Vec<u8>> {
        let mut data = BTreeMap::from([(SECRET_CA_KEY.to_owned(), self.bundle().into_bytes())]);
        let identities = [
            (SERVING, Some(&self.serving)),
            (SIGNER, Some(&self.signer)),
            (NEXT, self.next.as_ref()),
        ];
        for ((certificate, key), identity) in identities {
            if let Some(identity) = identity {
                data.insert(
                    certificate.to_owned(),
                    identity.certificate_pem.clone().into_bytes(),
                );
                data.insert(key.to_owned(), identity.key_pem.clone().into_bytes());
            }
        }
        data
    }

    /// What API servers must trust: PEM.
    pub(crate) fn bundle(&self) -> String {
        self.trusted.concat()
    }
}

/// The single certificates of a PEM bundle, each as PEM in the form in which we write it.
fn split(bundle: &str) -> Vec<String> {
    use base64::Engine;
    let encode = |der: &[u8]| base64::engine::general_purpose::STANDARD.encode(der);
    CertificateDer::pem_slice_iter(bundle.as_bytes())
        .filter_map(Result::ok)
        .map(|der| {
            let body = encode(&der);
            let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
            for line in body.as_bytes().chunks(64) {
                pem.push_str(&String::from_utf8_lossy(line));
                pem.push('\n');
            }
            pem.push_str("-----END CERTIFICATE-----\n");
            pem
        })
        .collect()
}
