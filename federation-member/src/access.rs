//! What a `KubeFedCluster` and its Secret say about reaching the cluster.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_api::KubeFedCluster;
use federation_api::kinds::TlsValidation;
use federation_api::names;
use http::Uri;
use k8s_openapi::api::core::v1::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::checks::TlsChecks;

/// Keys of a `kubernetes.io/tls` Secret: a client certificate instead of a token.
const CERTIFICATE_KEY: &str = "tls.crt";
const PRIVATE_KEY_KEY: &str = "tls.key";

/// Text that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// The text itself, for the one who sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Who we are to the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A bearer token, as in KubeFed.
    Token(Redacted),
    /// A client certificate and its key, PEM.
    Certificate {
        /// The certificate chain.
        chain: String,
        /// The private key.
        key: Redacted,
    },
}

/// Everything needed to reach a member, checked. Two equal values make interchangeable connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberAccess {
    /// Base address of the API server, with scheme.
    pub endpoint: Uri,
    /// Trusted roots, DER. `None`: those of the machine.
    pub roots: Option<Vec<Vec<u8>>>,
    /// Who we are.
    pub credentials: Credentials,
    /// A proxy on the way.
    pub proxy: Option<Uri>,
    /// Certificate checks that are left out.
    pub checks: TlsChecks,
    /// Reach it only through its agent's tunnel.
    pub tunnel: bool,
}

/// Why a cluster's spec or Secret cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// There is no such Secret.
    #[error("secret {0:?} not found")]
    SecretNotFound(String),
    /// The Secret holds neither a token nor a client certificate.
    #[error("secret {0:?} has no value for key \"token\" (nor for \"tls.crt\" and \"tls.key\")")]
    NoCredentials(String),
    /// A value of the Secret is not text.
    #[error("key {key:?} of secret {secret:?} is not UTF-8")]
    NotText {
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: &'static str,
    },
    /// `spec.apiEndpoint` is no address.
    #[error("spec.apiEndpoint {0:?} is not a host, host:port or URL")]
    Endpoint(String),
    /// `spec.caBundle` is not base64 of PEM certificates.
    #[error("spec.caBundle is not base64 of PEM certificates")]
    CaBundle,
    /// `spec.proxyURL` is no URL of a supported scheme.
    #[error("spec.proxyURL must be an http, https or socks5 URL")]
    Proxy,
    /// `*` is not alone in `spec.disabledTLSValidations`.
    #[error("spec.disabledTLSValidations: \"*\" must be the only entry")]
    TlsValidations,
}

impl MemberAccess {
    /// Reads the access data of a physical cluster. `secret` is the one that `spec.secretRef` names, if it exists.
    ///
    /// # Errors
    /// If anything is unusable: the cluster is then `ConfigMalformed`.
    pub fn parse(cluster: &KubeFedCluster, secret: Option<&Secret>) -> Result<Self, AccessError> {
        let spec = &cluster.spec;
        Ok(Self {
            endpoint: endpoint(&spec.api_endpoint)?,
            roots: roots(spec.ca_bundle.as_deref().unwrap_or_default())?,
            proxy: proxy(spec.proxy_url.as_deref().unwrap_or_default())?,
            checks: checks(&spec.disabled_tls_validations)?,
            credentials: credentials(&spec.secret_ref.name, secret)?,
            tunnel: cluster.wants_tunnel(),
        })
    }
}

/// As client-go reads a host: the scheme defaults to https.
fn endpoint(text: &str) -> Result<Uri, AccessError> {
    let bad = || AccessError::Endpoint(text.to_owned());
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let uri: Uri = full.parse().map_err(|_| bad())?;
    let scheme_ok = matches!(uri.scheme_str(), Some("http" | "https"));
    let host_ok = uri.host().is_some_and(|host| !host.is_empty());
    if scheme_ok && host_ok && uri.port_u16() != Some(0) {
        Ok(uri)
    } else {
        Err(bad())
    }
}

fn roots(bundle: &str) -> Result<Option<Vec<Vec<u8>>>, AccessError> {
    if bundle.is_empty() {
        return Ok(None);
    }
    let pem = STANDARD.decode(bundle).map_err(|_| AccessError::CaBundle)?;
    let roots: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&pem)
        .map(|der| der.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|_| AccessError::CaBundle)?;
    if roots.is_empty() {
        Err(AccessError::CaBundle)
    } else {
        Ok(Some(roots))
    }
}

fn proxy(text: &str) -> Result<Option<Uri>, AccessError> {
    if text.is_empty() {
        return Ok(None);
    }
    let uri: Uri = text.parse().map_err(|_| AccessError::Proxy)?;
    let ok = matches!(uri.scheme_str(), Some("http" | "https" | "socks5")) && uri.host().is_some();
    if ok {
        Ok(Some(uri))
    } else {
        Err(AccessError::Proxy)
    }
}

fn checks(disabled: &[TlsValidation]) -> Result<TlsChecks, AccessError> {
    let all = disabled.contains(&TlsValidation::All);
    if all && disabled.len() > 1 {
        return Err(AccessError::TlsValidations);
    }
    Ok(TlsChecks {
        skip_all: all,
        skip_subject_name: disabled.contains(&TlsValidation::SubjectName),
        skip_validity_period: disabled.contains(&TlsValidation::ValidityPeriod),
    })
}

fn credentials(name: &str, secret: Option<&Secret>) -> Result<Credentials, AccessError> {
    let secret = secret.ok_or_else(|| AccessError::SecretNotFound(name.to_owned()))?;
    let text = |key: &'static str| -> Result<Option<String>, AccessError> {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        match bytes {
            Some(bytes) if !bytes.0.is_empty() => String::from_utf8(bytes.0.clone())
                .map(Some)
                .map_err(|_| AccessError::NotText {
                    secret: name.to_owned(),
                    key,
                }),
            _ => Ok(None),
        }
    };
    if let Some(token) = text(names::SECRET_TOKEN_KEY)? {
        return Ok(Credentials::Token(Redacted(token.trim().to_owned())));
    }
    match (text(CERTIFICATE_KEY)?, text(PRIVATE_KEY_KEY)?) {
        (Some(chain), Some(key)) => Ok(Credentials::Certificate {
            chain,
            key: Redacted(key),
        }),
        _ => Err(AccessError::NoCredentials(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use federation_api::kinds::{KubeFedClusterSpec, SecretRef};
    use k8s_openapi::ByteString;

    use super::*;

    fn cluster(endpoint: &str) -> KubeFedCluster {
        KubeFedCluster::new(
            "hz-1",
            KubeFedClusterSpec {
                api_endpoint: endpoint.to_owned(),
                ca_bundle: None,
                secret_ref: SecretRef {
                    name: "hz-1-abc".to_owned(),
                },
                disabled_tls_validations: Vec::new(),
                proxy_url: Some(String::new()),
            },
        )
    }

    fn secret(entries: &[(&str, &str)]) -> Secret {
        Secret {
            data: Some(
                entries
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())))
                    .collect(),
            ),
            ..Secret::default()
        }
    }

    #[test]
    fn endpoints_are_read_as_client_go_does() {
        for (text, expected) in [
            ("10.0.0.1", "https://10.0.0.1/"),
            ("host:6443", "https://host:6443/"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("https://hub/clusters/a", "https://hub/clusters/a"),
            ("[::1]:6443", "https://[::1]:6443/"),
        ] {
            let access =
                MemberAccess::parse(&cluster(text), Some(&secret(&[("token", "t")]))).unwrap();
            assert_eq!(access.endpoint.to_string(), expected);
        }
        for text in ["", "ftp://host", "https://", "host:0", "a b"] {
            let parsed = MemberAccess::parse(&cluster(text), Some(&secret(&[("token", "t")])));
            assert_eq!(parsed, Err(AccessError::Endpoint(text.to_owned())));
        }
    }

    #[test]
    fn credentials_are_a_token_or_a_certificate_and_are_not_printed() {
        let token =
            MemberAccess::parse(&cluster("h"), Some(&secret(&[("token", "s3cret")]))).unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
        let pair = secret(&[("tls.crt", "cert"), ("tls.key", "s3cret")]);
        let pair = MemberAccess::parse(&cluster("h"), Some(&pair)).unwrap();
        assert!(matches!(pair.credentials, Credentials::Certificate { .. }));
        assert!(!format!("{pair:?}").contains("s3cret"));
        let empty = MemberAccess::parse(&cluster("h"), Some(&secret(&[("token", "")])));
        assert_eq!(
            empty,
            Err(AccessError::NoCredentials("hz-1-abc".to_owned()))
        );
        let none = MemberAccess::parse(&cluster("h"), None);
        assert_eq!(
            none,
            Err(AccessError::SecretNotFound("hz-1-abc".to_owned()))
        );
    }

    #[test]
    fn bad_settings_are_named() {
        let with = |change: fn(&mut KubeFedCluster)| {
            let mut cluster = cluster("h");
            change(&mut cluster);
            MemberAccess::parse(&cluster, Some(&secret(&[("token", "t")])))
        };
        assert_eq!(
            with(|c| c.spec.ca_bundle = Some("!".into())),
            Err(AccessError::CaBundle)
        );
        assert_eq!(
            with(|c| c.spec.ca_bundle = Some("aGVsbG8=".into())),
            Err(AccessError::CaBundle)
        );
        assert_eq!(
            with(|c| c.spec.proxy_url = Some("ftp://p".into())),
            Err(AccessError::Proxy)
        );
        assert!(
            with(|c| c.spec.proxy_url = Some("socks5://p:1080".into()))
                .unwrap()
                .proxy
                .is_some()
        );
        assert_eq!(
            with(|c| c.spec.disabled_tls_validations =
                vec![TlsValidation::All, TlsValidation::SubjectName]),
            Err(AccessError::TlsValidations)
        );
    }
}
