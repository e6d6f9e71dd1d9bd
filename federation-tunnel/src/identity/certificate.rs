//! What an agent's certificate says.

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::GeneralName;

use super::hex;
use crate::cluster::{ClusterError, ClusterId, ClusterName};

/// A certificate that is not an agent's.
#[derive(Debug, thiserror::Error)]
pub enum CertificateProblem {
    /// Not X.509.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// It has no URI of ours.
    #[error("the certificate names no cluster")]
    NoCluster,
    /// It has a URI of ours that is not well-formed.
    #[error("the certificate names a cluster that cannot be")]
    BadCluster(#[source] ClusterError),
}

/// What a verified certificate of an agent says. Making one verifies nothing: that is TLS's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentCertificate {
    clusters: Vec<ClusterId>,
    serial: String,
    not_before: u64,
    not_after: u64,
}

impl AgentCertificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// If it cannot be read, or does not name at least one cluster.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, CertificateProblem> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|_| CertificateProblem::Unreadable)?;
        let names = parsed
            .subject_alternative_name()
            .map_err(|_| CertificateProblem::Unreadable)?;
        let mut clusters = Vec::new();
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            if let GeneralName::URI(uri) = name
                && let Some(cluster) = ClusterId::from_uri(uri)
            {
                clusters.push(cluster.map_err(CertificateProblem::BadCluster)?);
            }
        }
        if clusters.is_empty() {
            return Err(CertificateProblem::NoCluster);
        }
        let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp());
        Ok(Self {
            clusters,
            serial: hex(parsed.raw_serial()),
            not_before: seconds(parsed.validity().not_before).unwrap_or(0),
            not_after: seconds(parsed.validity().not_after).unwrap_or(0),
        })
    }

    /// The clusters it may serve: at least one.
    #[must_use]
    pub fn clusters(&self) -> &[ClusterId] {
        &self.clusters
    }

    /// Whether it lists a name, under whatever uid.
    #[must_use]
    pub fn names(&self, name: &ClusterName) -> bool {
        self.clusters.iter().any(|cluster| cluster.name() == name)
    }

    /// The serial number in lower-case hexadecimal digits: what a revocation names.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// When it begins to be valid.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.not_before))
    }

    /// When it was issued: certificates begin a bit earlier, for members whose clocks are slow.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        let begin = std::time::Duration::from_secs(self.not_before);
        UnixTime::since_unix_epoch(begin + super::authority::BACKDATED)
    }

    /// The last second in which it is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.not_after))
    }

    /// Seconds left at `now`; 0 once it is over.
    #[must_use]
    pub fn seconds_left(&self, now: UnixTime) -> u64 {
        (self.not_after + 1).saturating_sub(now.as_secs())
    }

    /// When to renew: two thirds into its life, and up to a tenth of its life later as `unit` (in `0.0..1.0`) says, so that agents that were
    /// set up together do not come back together.
    #[must_use]
    pub fn renew_at(&self, unit: f64) -> UnixTime {
        let life = self.not_after.saturating_sub(self.not_before) as f64;
        let at = self.not_before + (life * (2.0 / 3.0 + unit / 10.0)) as u64;
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(at))
    }
}
