//! Managed member objects that belong to no federated object.

use std::collections::BTreeMap;

use federation_api::federated::southbound::FederatedObject;
use federation_core::plan::{self, Action};

use super::controller::TypeWork;
use super::execute::DEADLINE;
use super::operation::{Operation, Site};
use crate::hub::ObjectKey;
use crate::work::Next;

impl TypeWork {
    /// Takes the managed label from every member object that would belong to the federated object `key`, which does not
    /// exist. Nothing is ever deleted for want of an owner (KubeFed). A member that is not ready is not waited for: when
    /// it comes back, its list brings the key again.
    pub(super) async fn release_orphans(&self, key: &ObjectKey) -> Next {
        self.context.records.forget(&self.record_key(key));
        let gathered = self.gather(key, nobody(key));
        let observed = gathered.observed();
        let members: Vec<_> = gathered
            .members
            .iter()
            .filter(|member| {
                observed.contains_key(&member.name) && self.may_hold(member, &gathered.members, key)
            })
            .collect();
        let mut next = Next::Wait;
        for step in plan::release(&members, &observed) {
            let Some(site) = self.site(key, &gathered, &step.member) else {
                continue;
            };
            if step.action != Action::RemoveManagedLabel {
                continue;
            }
            let site = Site {
                deadline: DEADLINE,
                ..site
            };
            if let Err(failed) = site.perform(&Operation::Unlabel).await {
                tracing::warn!(
                    cluster = %step.member,
                    object = %key,
                    error = %failed.message,
                    "cannot release an orphan"
                );
                next = Next::Retry;
            }
        }
        next
    }

    /// False for a plain cluster in which the namespace of that name belongs to a cell: what is there comes from the
    /// cell's own namespace on the hub.
    fn may_hold(
        &self,
        member: &federation_core::member::Member,
        all: &[federation_core::member::Member],
        key: &ObjectKey,
    ) -> bool {
        let site = (member.name.clone(), self.member_key(key, member).namespace);
        member.cell.is_some() || !federation_core::member::cell_sites(all).contains(&site)
    }
}

/// Stands in for an object that does not exist.
fn nobody(key: &ObjectKey) -> FederatedObject {
    let mut object = FederatedObject {
        api_version: String::new(),
        kind: String::new(),
        metadata: kube::api::ObjectMeta::default(),
        spec: federation_api::federated::southbound::Spec::default(),
        status: None,
        other: serde_json::Map::new(),
    };
    object.metadata.name = Some(key.name.clone());
    object.metadata.namespace = key.namespace().map(str::to_owned);
    object.metadata.labels = Some(BTreeMap::new());
    object
}
