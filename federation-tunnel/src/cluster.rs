//! Who a tunnel belongs to: a cluster's name together with its uid.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Not a name or uid that a certificate may carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Not a DNS subdomain (RFC 1123), as the names of Kubernetes objects are.
    #[error("{0:?} is not a cluster name: lower case letters, digits, '-' and '.', at most 253")]
    Name(String),
    /// Not 1 to 64 letters, digits and dashes.
    #[error("{0:?} is not a uid: 1 to 64 letters, digits and dashes")]
    Uid(String),
}

/// A cluster's name: a DNS subdomain. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterName(Arc<str>);

impl ClusterName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = ClusterError;

    fn from_str(text: &str) -> Result<Self, ClusterError> {
        let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let label = |label: &str| {
            let bytes = label.as_bytes();
            (1..=63).contains(&bytes.len())
                && edge(bytes[0])
                && edge(bytes[bytes.len() - 1])
                && bytes.iter().all(|&b| edge(b) || b == b'-')
        };
        if text.len() <= 253 && text.split('.').all(label) {
            Ok(Self(text.into()))
        } else {
            Err(ClusterError::Name(text.chars().take(300).collect()))
        }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One registration of a cluster: its name, and the uid that tells it from an earlier cluster of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterId {
    name: ClusterName,
    uid: Arc<str>,
}

/// How a cluster is written in the URI SAN of a certificate: `koinon:cluster:<uid>:<name>`.
const SCHEME: &str = "koinon:cluster:";

impl ClusterId {
    /// The registration `uid` of a name.
    ///
    /// # Errors
    /// If the uid is not 1 to 64 letters, digits and dashes.
    pub fn new(name: ClusterName, uid: &str) -> Result<Self, ClusterError> {
        let valid = (1..=64).contains(&uid.len())
            && uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !valid {
            return Err(ClusterError::Uid(uid.chars().take(80).collect()));
        }
        Ok(Self {
            name,
            uid: uid.into(),
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    /// The uid.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// As a URI for a certificate's subject alternative names.
    #[must_use]
    pub fn to_uri(&self) -> String {
        format!("{SCHEME}{}:{}", self.uid, self.name)
    }

    /// Reads [`ClusterId::to_uri`]'s form. `None` for a URI of another kind.
    ///
    /// # Errors
    /// If it is a URI of ours that holds no cluster.
    pub fn from_uri(uri: &str) -> Option<Result<Self, ClusterError>> {
        let rest = uri.strip_prefix(SCHEME)?;
        let Some((uid, name)) = rest.split_once(':') else {
            return Some(Err(ClusterError::Uid(rest.chars().take(80).collect())));
        };
        Some(name.parse().and_then(|name| Self::new(name, uid)))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (uid {})", self.name, self.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_subdomains() {
        for good in ["hz-1", "rz00a.bank-prod", "0"] {
            assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
        }
        for bad in [
            "", "A", "a:b", "a/b", "-a", "a-", "a..b", ".a", "a b", "a\n",
        ] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad:?}");
        }
        assert!("a".repeat(64).parse::<ClusterName>().is_err());
    }

    #[test]
    fn a_cluster_survives_its_uri() {
        let id = ClusterId::new("hz-1.x".parse().unwrap(), "0b5e-11").unwrap();
        assert_eq!(id.to_uri(), "koinon:cluster:0b5e-11:hz-1.x");
        assert_eq!(ClusterId::from_uri(&id.to_uri()).unwrap().unwrap(), id);
        assert!(ClusterId::from_uri("spiffe://x/y").is_none());
        for bad in [
            "koinon:cluster:",
            "koinon:cluster:u",
            "koinon:cluster:u:",
            "koinon:cluster::n",
            "koinon:cluster:u:n:m",
        ] {
            assert!(ClusterId::from_uri(bad).unwrap().is_err(), "{bad}");
        }
    }
}
