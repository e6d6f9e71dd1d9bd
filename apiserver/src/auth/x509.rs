//! Users from client certificates: common name = user, organisations = groups.

use std::sync::Arc;

use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::authenticate::ClientCertificate;
use crate::request::UserInfo;

/// Judges the certificate chain that a client showed, at `now` (seconds since 1970). Never fails: a bad certificate is
/// a finding that makes requests without another credential fail.
pub(crate) fn judge(
    chain: &[CertificateDer<'_>],
    verifier: &Arc<dyn ClientCertVerifier>,
    now: u64,
) -> ClientCertificate {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return ClientCertificate::None;
    };
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    if let Err(error) = verifier.verify_client_cert(leaf, intermediates, time) {
        tracing::debug!(%error, "a client certificate is not valid");
        return ClientCertificate::Rejected;
    }
    match user(leaf) {
        Some((user, not_after)) => ClientCertificate::Valid { user, not_after },
        None => ClientCertificate::Rejected,
    }
}

/// The user that a certificate names, and the second until which it is valid.
fn user(certificate: &CertificateDer<'_>) -> Option<(UserInfo, u64)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let subject = parsed.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    if name.is_empty() {
        return None;
    }
    let mut groups: Vec<String> = subject
        .iter_organization()
        .filter_map(|o| o.as_str().ok())
        .map(str::to_owned)
        .collect();
    groups.push("system:authenticated".to_owned());
    let not_after = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    let user = UserInfo {
        name,
        groups,
        ..UserInfo::default()
    };
    Some((user, not_after))
}
