//! The entries of `status.clusters`.

use std::collections::BTreeMap;

use federation_api::federated::MemberEntry;
use serde_json::Value;

use super::Finished;
use crate::plan::{Action, Observed, Snapshot};
use crate::record::Written;
use crate::version::{generation, short};

/// What entries are made from.
pub(super) struct Scope<'a> {
    pub(super) snapshot: &'a Snapshot<'a>,
    pub(super) stored: &'a [MemberEntry],
    pub(super) written: &'a BTreeMap<String, Written>,
    pub(super) remote_status: bool,
}

/// What is known of a member object.
enum Sight<'a> {
    /// The member does not hold it.
    Nothing,
    /// This is what it is.
    Seen(&'a Value),
    /// Nothing new: what was last seen still counts.
    Unseen,
}

impl Scope<'_> {
    /// One entry for each member that holds the object or should, sorted by name as steps are.
    pub(super) fn entries(&self, results: &[Finished<'_>]) -> Vec<MemberEntry> {
        results
            .iter()
            .filter(|result| !result.left)
            .map(|result| self.entry(result))
            .collect()
    }

    fn entry(&self, result: &Finished<'_>) -> MemberEntry {
        let name = &result.step.member;
        let last = self.stored.iter().find(|entry| entry.name == *name);
        let applied = self
            .written
            .get(name)
            .and_then(|written| written.applied.as_deref());
        let (generation, remote_status) = match self.sight(result) {
            Sight::Nothing => (None, None),
            Sight::Seen(object) => (generation(object), object.get("status").cloned()),
            Sight::Unseen => (
                last.and_then(|last| last.generation),
                last.and_then(|last| last.remote_status.clone()),
            ),
        };
        MemberEntry {
            name: name.clone(),
            status: result.reason.and_then(|reason| reason.kubefed_status()),
            reason: result.reason,
            message: result.reason.map(|_| result.message.clone()),
            version: applied.filter(|applied| !applied.is_empty()).map(short),
            generation,
            remote_status: remote_status.filter(|_| self.remote_status),
            other: last.map(|last| last.other.clone()).unwrap_or_default(),
        }
    }

    fn sight<'s>(&'s self, result: &'s Finished<'_>) -> Sight<'s> {
        if let (Some(object), false) = (
            result.object,
            matches!(result.step.action, Action::Delete(_)),
        ) {
            return Sight::Seen(object);
        }
        let name = &result.step.member;
        let ready = self
            .snapshot
            .members
            .iter()
            .any(|member| member.name == *name && member.ready);
        match self.snapshot.observed.get(name) {
            Some(Observed::Present(object)) if ready => Sight::Seen(object),
            Some(Observed::Absent) if ready => Sight::Nothing,
            _ => Sight::Unseen,
        }
    }
}
