//! The snapshot that a plan is made from.

use std::collections::BTreeMap;

use federation_api::federated::southbound::FederatedObject;
use federation_api::kinds::{ClusterObjectVersion, PropagatedVersionStatus};
use federation_api::reasons::MemberReason;
use federation_core::member::Member as MemberFacts;
use federation_core::placement::NamespaceRule;
use federation_core::plan::{Observed, Snapshot};
use federation_core::target::Target;
use federation_core::tenancy::Tenancy;
use federation_core::version::object_version;
use serde_json::Value;

use super::caches::Residence;
use super::controller::TypeWork;
use super::seen::Seen;
use crate::hub::ObjectKey;

/// Everything a plan depends on, held while it is made and executed.
pub(super) struct Gathered {
    pub(super) object: FederatedObject,
    pub(super) members: Vec<MemberFacts>,
    pub(super) seen: BTreeMap<String, Seen>,
    pub(super) record: Option<PropagatedVersionStatus>,
    tenancy: Tenancy,
    rule: Option<NamespaceRule>,
    hub_namespace_uid: Option<String>,
}

impl TypeWork {
    /// Looks at everything once.
    pub(super) fn gather(&self, key: &ObjectKey, object: FederatedObject) -> Gathered {
        let own_labels = object.metadata.labels.clone().unwrap_or_default();
        let namespace = match self.residence {
            Residence::Clustered => None,
            Residence::Namespaced | Residence::Namespace => key.namespace(),
        };
        let tenancy = self.context.tenancy(namespace, &own_labels);
        let members = self.context.member_facts();
        let reachable: Vec<&MemberFacts> = members
            .iter()
            .filter(|one| tenancy.reaches(&one.labels))
            .collect();
        let seen = reachable
            .iter()
            .map(|facts| (facts.name.clone(), self.see(key, facts)))
            .collect();
        let rule = match (self.residence, namespace) {
            (Residence::Namespaced, Some(namespace)) => {
                let reachable: Vec<MemberFacts> = reachable.into_iter().cloned().collect();
                let scope = self.context.settings.scope;
                self.context
                    .federated_namespaces
                    .rule(namespace, scope, &reachable)
            }
            _ => Some(NamespaceRule::Unrestricted),
        };
        let hub_namespace_uid = match self.residence {
            Residence::Namespace => self
                .context
                .hub_namespace(&key.name)
                .and_then(|namespace| namespace.metadata.uid.clone()),
            Residence::Clustered | Residence::Namespaced => None,
        };
        Gathered {
            object,
            members,
            seen,
            record: self.context.records.get(&self.record_key(key)),
            tenancy,
            rule,
            hub_namespace_uid,
        }
    }
}

impl Gathered {
    pub(super) fn member(&self, name: &str) -> Option<&MemberFacts> {
        self.members.iter().find(|one| one.name == name)
    }

    /// What stands in members, as the planner reads it. A kind that a member does not serve has no objects there.
    pub(super) fn observed(&self) -> BTreeMap<String, Observed<'_>> {
        self.seen
            .iter()
            .map(|(name, seen)| {
                let observed = match seen {
                    Seen::NotReady | Seen::Listing => Observed::Unknown,
                    Seen::Failed(message) => Observed::Failed {
                        reason: MemberReason::CachedRetrievalFailed,
                        message: message.clone(),
                    },
                    Seen::NotServed | Seen::Absent => Observed::Absent,
                    Seen::Present(object) => Observed::Present(object.value()),
                };
                (name.clone(), observed)
            })
            .collect()
    }

    pub(super) fn snapshot<'a>(
        &'a self,
        target: &'a Target,
        observed: &'a BTreeMap<String, Observed<'a>>,
        adopt: bool,
    ) -> Snapshot<'a> {
        Snapshot {
            object: &self.object,
            target,
            tenancy: &self.tenancy,
            members: &self.members,
            namespace_rule: self.rule.as_ref(),
            record: self.record.as_ref(),
            observed,
            adopt,
            hub_namespace_uid: self.hub_namespace_uid.as_deref(),
        }
    }

    /// Takes in a write that ended after its reconcile: the record knows nothing of it yet.
    pub(super) fn note_late_write(&mut self, cluster: &str, applied: &str, object: &Value) {
        let record = self.record.get_or_insert_default();
        record
            .cluster_versions
            .retain(|entry| entry.cluster_name != cluster);
        record
            .held_versions
            .retain(|entry| entry.cluster_name != cluster);
        record.held_versions.push(ClusterObjectVersion {
            cluster_name: cluster.to_owned(),
            version: object_version(object),
            applied: Some(applied.to_owned()),
        });
    }
}
