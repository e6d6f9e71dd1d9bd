//! What a plan is made from.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::federated::southbound::FederatedObject;
use federation_api::kinds::PropagatedVersionStatus;
use federation_api::reasons::MemberReason;
use serde_json::Value;

use crate::desired::Blueprint;
use crate::member::{Member, Site, cell_sites};
use crate::placement::NamespaceRule;
use crate::record::{self, Written};
use crate::target::Target;
use crate::tenancy::Tenancy;

/// What a member holds under the name of the object.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Observed<'a> {
    /// It cannot be told now.
    #[default]
    Unknown,
    /// It cannot be told for this reason.
    Failed {
        /// `CachedRetrievalFailed`, `ClientRetrievalFailed` or `RetrievalFailed`.
        reason: MemberReason,
        /// A sentence.
        message: String,
    },
    /// Nothing. Also of a member that does not serve the kind.
    Absent,
    /// This object, whole.
    Present(&'a Value),
}

/// Everything about one federated object that a plan depends on.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// The federated object, as stored.
    pub object: &'a FederatedObject,
    /// The type.
    pub target: &'a Target,
    /// The object's tenancy.
    pub tenancy: &'a Tenancy,
    /// All registered members, of all tenants.
    pub members: &'a [Member],
    /// How the namespace limits plain clusters; `None` while that cannot be told. [`NamespaceRule::Unrestricted`] for
    /// cluster-scoped targets.
    pub namespace_rule: Option<&'a NamespaceRule>,
    /// What was last written where.
    pub record: Option<&'a PropagatedVersionStatus>,
    /// By member name. A member that is missing is [`Observed::Unknown`].
    pub observed: &'a BTreeMap<String, Observed<'a>>,
    /// True if existing objects without the managed label are taken over (`adoptResources`).
    pub adopt: bool,
    /// For the type of namespaces: uid of the hub's own namespace of that name. A member that shows the same one is
    /// the hub's own cluster, where the namespace must never be deleted.
    pub hub_namespace_uid: Option<&'a str>,
}

/// The snapshot with what follows from it.
pub(crate) struct Scene<'a> {
    pub(crate) snapshot: &'a Snapshot<'a>,
    pub(crate) blueprint: Blueprint<'a>,
    /// Members within the tenancy, by name.
    pub(crate) reach: BTreeMap<&'a str, &'a Member>,
    /// By member: what was last written there.
    pub(crate) written: BTreeMap<String, Written>,
    cell_sites: BTreeSet<Site>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot<'a>) -> Self {
        let blueprint = Blueprint::new(snapshot.object, snapshot.target);
        let in_reach = |member: &&Member| snapshot.tenancy.reaches(&member.labels);
        let all: Vec<&Member> = snapshot.members.iter().collect();
        Self {
            written: record::read(snapshot.record, &blueprint, &all),
            reach: snapshot
                .members
                .iter()
                .filter(in_reach)
                .map(|member| (member.name.as_str(), member))
                .collect(),
            cell_sites: cell_sites(snapshot.members),
            snapshot,
            blueprint,
        }
    }

    pub(crate) fn observed(&self, member: &Member) -> Observed<'a> {
        let known = self.snapshot.observed.get(&member.name);
        known.cloned().unwrap_or_default()
    }

    /// True if something was last written there and is not known to be gone.
    pub(crate) fn is_recorded(&self, member: &Member) -> bool {
        self.written.contains_key(&member.name)
    }

    /// True if the member is the hub's own cluster and `observed` the hub's own namespace.
    pub(crate) fn is_hub_namespace(&self, observed: &Value) -> bool {
        let uid = observed.pointer("/metadata/uid").and_then(Value::as_str);
        self.snapshot.target.is_namespace()
            && uid.is_some()
            && uid == self.snapshot.hub_namespace_uid
    }

    /// Why the object can have no place in this member: then whatever stands there is not its own.
    pub(crate) fn no_place(&self, member: &Member) -> Option<String> {
        match (&member.cell, self.blueprint.namespace_in(member)) {
            (Some(_), None) => {
                let kind = &self.snapshot.target.kind;
                Some(format!(
                    "{kind} objects live in no namespace, so they cannot be placed in a cell"
                ))
            }
            (Some(cell), Some(namespace)) => {
                let other = self.reach.values().find(|other| {
                    let same = |other: &crate::member::CellFacts| {
                        other.cluster == cell.cluster && other.member_namespace == namespace
                    };
                    other.name < member.name && other.cell.as_ref().is_some_and(same)
                })?;
                let other = &other.name;
                Some(format!(
                    "cell {other} has the same namespace {namespace:?} in cluster {}",
                    cell.cluster
                ))
            }
            (None, Some(namespace)) => {
                let site = (member.name.clone(), namespace.to_owned());
                let taken = self.cell_sites.contains(&site);
                taken.then(|| format!("namespace {namespace:?} of the cluster belongs to a cell"))
            }
            (None, None) => None,
        }
    }
}
