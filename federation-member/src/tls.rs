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
    #[error("the cluster has no CA bundle, and this machine trusts no roots")]
    NoRoots,
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

fn verifier(access: &MemberAccess) -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
    if access.checks.skip_all {
        return Ok(Arc::new(Unchecked::new()));
    }
    let roots = match &access.roots {
        Some(roots) => roots.clone(),
        None => rustls_native_certs::load_native_certs()
            .certs
            .into_iter()
            .map(|root| root.to_vec())
            .collect(),
    };
    if roots.is_empty() {
        return Err(TlsConfigError::NoRoots);
    }
    if access.checks.is_partial() {
        let lenient = Lenient::new(&roots, access.checks).map_err(TlsConfigError::Roots)?;
        return Ok(Arc::new(lenient));
    }
    let mut store = RootCertStore::empty();
    let given = access.roots.is_some();
    for der in roots {
        match store.add(CertificateDer::from(der)) {
            Err(error) if given => return Err(TlsConfigError::Roots(error)),
            // A machine's store may hold roots that are of no use; the others are.
            _ => {}
        }
    }
    let ordinary = WebPkiServerVerifier::builder(Arc::new(store))
        .build()
        .map_err(|error| TlsConfigError::Roots(rustls::Error::General(error.to_string())))?;
    Ok(ordinary)
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
