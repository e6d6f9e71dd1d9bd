//! From access data to a TLS client configuration.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::access::{Credentials, MemberAccess};
use crate::checks::{Lenient, Unchecked};

/// Why no TLS configuration could be made of access data. Never because a server is down.
#[derive(Debug, thiserror::Error)]
pub enum TlsConfigError {
    /// A trusted root cannot be used.
    #[error("the CA bundle is unusable")]
    Roots(#[source] rustls::Error),
    /// The cluster brings no roots and the machine has none.
    #[error("there is no CA bundle, and this machine trusts no roots ({unusable} cannot be used)")]
    NoRoots {
        /// How many of the machine's roots cannot be read.
        unusable: usize,
    },
    /// The client certificate or its key is not PEM.
    #[error("the client certificate or its key is not PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// The client certificate or its key cannot be used.
    #[error("the client certificate or its key is unusable")]
    Identity(#[source] rustls::Error),
}

/// The TLS configuration for connections to a member: its roots, the checks that are left out, and the client
/// certificate if that is what the Secret holds. No protocol is offered by ALPN: the peer speaks HTTP/1.1.
///
/// # Errors
/// See [`TlsConfigError`].
pub fn client_config(access: &MemberAccess) -> Result<ClientConfig, TlsConfigError> {
    let builder = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier(access)?);
    match &access.credentials {
        Credentials::Token(_) => Ok(builder.with_no_client_auth()),
        Credentials::Certificate { chain, key } => {
            let chain: Vec<CertificateDer<'static>> =
                CertificateDer::pem_slice_iter(chain.as_bytes())
                    .collect::<Result<_, _>>()
                    .map_err(TlsConfigError::Pem)?;
            let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
                .map_err(TlsConfigError::Pem)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(TlsConfigError::Identity)
        }
    }
}

/// The TLS configuration for servers that the machine's own roots vouch for, such as a proxy on the way to a member.
///
/// # Errors
/// If the machine trusts no roots.
pub fn machine_config() -> Result<ClientConfig, TlsConfigError> {
    Ok(ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(ordinary(None)?)
        .with_no_client_auth())
}

fn verifier(access: &MemberAccess) -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
    if access.checks.skip_all {
        return Ok(Arc::new(Unchecked::new()));
    }
    match &access.roots {
        Some(roots) if access.checks.is_partial() => {
            let lenient = Lenient::new(roots, access.checks).map_err(TlsConfigError::Roots)?;
            Ok(Arc::new(lenient))
        }
        None if access.checks.is_partial() => {
            let lenient =
                Lenient::new(&machine_roots(), access.checks).map_err(TlsConfigError::Roots)?;
            Ok(Arc::new(lenient))
        }
        roots => ordinary(roots.as_deref()),
    }
}

/// Makes every check, with the roots given or the machine's.
fn ordinary(given: Option<&[Vec<u8>]>) -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
    let mut store = RootCertStore::empty();
    match given {
        Some(roots) => {
            for der in roots {
                let root = CertificateDer::from(der.as_slice()).into_owned();
                store.add(root).map_err(TlsConfigError::Roots)?;
            }
        }
        None => {
            // A machine's store may hold roots that are of no use; the others are.
            let (good, bad) = store
                .add_parsable_certificates(machine_roots().into_iter().map(CertificateDer::from));
            if good == 0 {
                return Err(TlsConfigError::NoRoots { unusable: bad });
            }
        }
    }
    let verifier = WebPkiServerVerifier::builder(Arc::new(store))
        .build()
        .map_err(|error| TlsConfigError::Roots(rustls::Error::General(error.to_string())))?;
    Ok(verifier)
}

fn machine_roots() -> Vec<Vec<u8>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.into_iter().map(|root| root.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use federation_api::KubeFedCluster;
    use federation_api::kinds::{KubeFedClusterSpec, SecretRef, TlsValidation};
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;

    use super::*;

    fn access(skip: &[TlsValidation], entries: &[(&str, String)]) -> MemberAccess {
        let cluster = KubeFedCluster::new(
            "hz-1",
            KubeFedClusterSpec {
                api_endpoint: "127.0.0.1:6443".to_owned(),
                ca_bundle: None,
                secret_ref: SecretRef {
                    name: "s".to_owned(),
                },
                disabled_tls_validations: skip.to_vec(),
                proxy_url: None,
            },
        );
        let data = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())))
            .collect();
        let secret = Secret {
            data: Some(data),
            ..Secret::default()
        };
        MemberAccess::parse(&cluster, Some(&secret)).unwrap()
    }

    #[test]
    fn a_client_certificate_is_used_and_a_broken_one_is_named() {
        let made = rcgen::generate_simple_self_signed(vec!["m".to_owned()]).unwrap();
        let mut good = access(
            &[],
            &[
                ("tls.crt", made.cert.pem()),
                ("tls.key", made.signing_key.serialize_pem()),
            ],
        );
        good.roots = Some(vec![made.cert.der().to_vec()]);
        assert!(
            client_config(&good)
                .unwrap()
                .client_auth_cert_resolver
                .has_certs()
        );
        let bad = access(
            &[TlsValidation::All],
            &[
                ("tls.crt", made.cert.pem()),
                ("tls.key", "no key".to_owned()),
            ],
        );
        assert!(matches!(client_config(&bad), Err(TlsConfigError::Pem(_))));
        let mut roots = good;
        roots.roots = Some(vec![vec![1, 2, 3]]);
        assert!(matches!(
            client_config(&roots),
            Err(TlsConfigError::Roots(_))
        ));
    }
}
