//! Which clusters exist and which certificates are revoked, from the server's cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use apiserver::cache::Cache;
use apiserver::object::Obj;
use apiserver_store::Revision;
use federation_api::names::SYSTEM_NAMESPACE;
use federation_api::tunnel::{REVOKED_BEFORE, REVOKED_SERIALS};
use federation_tunnel::ClusterName;
use federation_tunnel::identity::{AgentCertificate, Directory};
use serde::Deserialize;

use super::objects::STORED_CLUSTERS;

/// What a cluster's annotations say, and as of which revision of it.
type AsOf = (Revision, Arc<Revoked>);

/// Answers from memory. Physical clusters only: a cell is reached through its cluster.
#[derive(Debug)]
pub(super) struct HubDirectory {
    cache: Cache,
    /// What each cluster's annotations say, as of a revision of it.
    revoked: Mutex<HashMap<Arc<str>, AsOf>>,
}

impl HubDirectory {
    pub(super) fn new(cache: Cache) -> Self {
        Self {
            cache,
            revoked: Mutex::default(),
        }
    }

    fn cluster(&self, name: &ClusterName) -> Option<Arc<Obj>> {
        let name = name.as_str();
        if name.contains('.') {
            return None;
        }
        self.cache
            .get(STORED_CLUSTERS, SYSTEM_NAMESPACE, name)
            .filter(|cluster| cluster.meta.deletion_timestamp.is_none())
    }

    /// What a cluster's annotations say. They are read once per change: this is asked for every connection, all the time.
    fn revoked(&self, cluster: &Obj) -> Arc<Revoked> {
        let mut known = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((revision, revoked)) = known.get(cluster.name())
            && *revision == cluster.revision
        {
            return revoked.clone();
        }
        let revoked = Arc::new(Revoked::of(&cluster.bytes));
        known.insert(cluster.name().clone(), (cluster.revision, revoked.clone()));
        revoked
    }
}

impl Directory for HubDirectory {
    fn uid(&self, name: &ClusterName) -> Option<Arc<str>> {
        Some(self.cluster(name)?.meta.uid.as_str().into())
    }

    fn is_revoked(&self, certificate: &AgentCertificate) -> bool {
        certificate.clusters().iter().any(|id| {
            self.cluster(id.name())
                .is_some_and(|cluster| self.revoked(&cluster).covers(certificate))
        })
    }
}

/// What is revoked for one cluster.
#[derive(Debug, Default, PartialEq, Eq)]
struct Revoked {
    serials: Vec<String>,
    /// Seconds since 1970. What cannot be read revokes nothing, and is said.
    before: Option<u64>,
}

impl Revoked {
    fn of(cluster: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Head {
            metadata: Metadata,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Metadata {
            annotations: HashMap<String, String>,
        }
        let head: Head = serde_json::from_slice(cluster).unwrap_or_default();
        let annotation = |name: &str| head.metadata.annotations.get(name);
        let serials = annotation(REVOKED_SERIALS).map_or("", String::as_str);
        let before = annotation(REVOKED_BEFORE).and_then(|text| {
            let parsed = text.trim().parse::<jiff::Timestamp>();
            if let Err(error) = &parsed {
                tracing::warn!(%error, text, "annotation {REVOKED_BEFORE} is no time and revokes nothing");
            }
            u64::try_from(parsed.ok()?.as_second()).ok()
        });
        Self {
            serials: serials
                .split(',')
                .map(|serial| serial.trim().replace(':', "").to_ascii_lowercase())
                .filter(|serial| !serial.is_empty())
                .collect(),
            before,
        }
    }

    fn covers(&self, certificate: &AgentCertificate) -> bool {
        self.serials
            .iter()
            .any(|serial| serial == certificate.serial())
            || self
                .before
                .is_some_and(|before| certificate.issued_at().as_secs() < before)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn annotations_say_what_is_revoked() {
        let of = |annotations| {
            let cluster = json!({"metadata": {"name": "hz-1", "annotations": annotations}});
            Revoked::of(cluster.to_string().as_bytes())
        };
        assert_eq!(of(json!({})), Revoked::default());
        let both =
            of(json!({REVOKED_SERIALS: "0A:1b, 2c,", REVOKED_BEFORE: "1970-01-01T00:01:40Z"}));
        assert_eq!(both.serials, ["0a1b", "2c"]);
        assert_eq!(both.before, Some(100));
        assert_eq!(of(json!({REVOKED_BEFORE: "yesterday"})).before, None);
        assert_eq!(Revoked::of(b"{}"), Revoked::default());
    }
}
