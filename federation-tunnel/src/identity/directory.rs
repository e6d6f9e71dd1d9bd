//! Which clusters exist, and which certificates are revoked: the hub's word on what an agent's certificate is still worth.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use rustls_pki_types::UnixTime;

use super::AgentCertificate;
use crate::cluster::{ClusterId, ClusterName};
use crate::wire::Refusal;

/// What the hub knows about its clusters. Answers come from memory: they are asked for on every connection and after every change. Whoever
/// implements this calls [`crate::Tunnels::recheck`] when an answer changes, which ends the sessions that it no longer allows.
pub trait Directory: Send + Sync + 'static {
    /// The uid of the cluster that has this name now; `None` if there is none, or it is being deleted.
    fn uid(&self, name: &ClusterName) -> Option<Arc<str>>;

    /// Whether this certificate was revoked, by its serial number or by the time that it was issued.
    fn is_revoked(&self, certificate: &AgentCertificate) -> bool;
}

/// Which of a certificate's clusters may be served at `now`: those that exist with the same uid.
pub(crate) fn judge(
    directory: &dyn Directory,
    certificate: &AgentCertificate,
    now: UnixTime,
) -> Result<Vec<ClusterId>, Refusal> {
    if now < certificate.not_before() || certificate.seconds_left(now) == 0 {
        return Err(Refusal::ExpiredCertificate);
    }
    if directory.is_revoked(certificate) {
        return Err(Refusal::Revoked);
    }
    let mut why = Refusal::UnknownCluster;
    let mut good = Vec::new();
    for cluster in certificate.clusters() {
        match directory.uid(cluster.name()) {
            Some(uid) if *uid == *cluster.uid() => good.push(cluster.clone()),
            Some(_) => why = Refusal::OtherUid,
            None => {}
        }
    }
    if good.is_empty() { Err(why) } else { Ok(good) }
}

/// Whether a connection with this certificate may still serve all the clusters that it was taken in for.
pub(crate) fn judge_all(
    directory: &dyn Directory,
    certificate: &AgentCertificate,
    clusters: &[ClusterName],
    now: UnixTime,
) -> Result<(), Refusal> {
    let good = judge(directory, certificate, now)?;
    let mut all = clusters.iter();
    if all.all(|name| good.iter().any(|id| id.name() == name)) {
        Ok(())
    } else {
        Err(Refusal::UnknownCluster)
    }
}

#[derive(Debug, Default)]
struct Known {
    uids: HashMap<ClusterName, Arc<str>>,
    revoked: HashSet<String>,
}

/// A [`Directory`] that someone else keeps up to date. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct MemoryDirectory(Arc<RwLock<Known>>);

impl MemoryDirectory {
    /// Adds a cluster, or gives its name another uid.
    pub fn insert(&self, cluster: &ClusterId) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known
            .uids
            .insert(cluster.name().clone(), cluster.uid().into());
    }

    /// Forgets a cluster.
    pub fn remove(&self, name: &ClusterName) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.uids.remove(name);
    }

    /// Revokes the certificate with this serial number.
    pub fn revoke(&self, serial: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.revoked.insert(serial.to_owned());
    }
}

impl Directory for MemoryDirectory {
    fn uid(&self, name: &ClusterName) -> Option<Arc<str>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.uids.get(name).cloned()
    }

    fn is_revoked(&self, certificate: &AgentCertificate) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.revoked.contains(certificate.serial())
    }
}
