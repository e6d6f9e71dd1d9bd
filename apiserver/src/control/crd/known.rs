//! What the controller knows of the definitions between two passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decide::{Decision, decide};
use crate::cache::Snapshot;
use crate::kinds::Kind;
use crate::kinds::custom::{AcceptedNames, ClaimedNames, claimed_names, custom_row, text};
use crate::object::Obj;

/// One definition as it was last looked at.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) object: Arc<Obj>,
    group: String,
    accepted: AcceptedNames,
    waits: bool,
    /// Its status could not be written.
    retry: bool,
    pub(super) terminating: bool,
    fingerprint: u64,
    pub(super) row: Option<Arc<Kind>>,
}

/// All definitions by name.
#[derive(Debug)]
pub(super) struct Definitions {
    builtin: Vec<Arc<Kind>>,
    pub(super) known: BTreeMap<Arc<str>, Known>,
    next_epoch: u64,
}

/// A status that is to be written.
#[derive(Debug)]
pub(super) struct StatusWrite {
    pub(super) object: Arc<Obj>,
    pub(super) decision: Decision,
}

/// What a look at the definitions found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The table must be replaced.
    pub(super) table_changed: bool,
    /// Statuses that are not as they should be.
    pub(super) writes: Vec<StatusWrite>,
    /// Resources that are served for the first time; objects found there belong to an earlier definition.
    pub(super) fresh: Vec<Arc<str>>,
}

impl Definitions {
    pub(super) fn new(builtin: Vec<Arc<Kind>>) -> Self {
        let next_epoch = builtin.iter().map(|row| row.epoch).max().unwrap_or(0) + 1;
        Self {
            builtin,
            known: BTreeMap::new(),
            next_epoch,
        }
    }

    /// The whole table: built-in rows, and custom ones where no built-in row is.
    pub(super) fn rows(&self) -> Vec<Arc<Kind>> {
        let custom = self.known.values().filter_map(|known| known.row.clone());
        custom.chain(self.builtin.iter().cloned()).collect()
    }

    /// Looks at the definitions as they are now. `now` is RFC 3339.
    pub(super) fn look(&mut self, snapshot: &Snapshot, now: &str) -> Findings {
        let mut findings = Findings::default();
        let freed = self.forget_absent(snapshot, &mut findings);
        for object in in_order(snapshot, |object| self.is_due(object, &freed)) {
            let crd = object.to_value();
            let group = text(&crd, &["spec", "group"]).to_owned();
            let decision = decide(&crd, &self.claimed(&group, object.name()), now);
            self.update(&object, group, &decision, &mut findings);
            if decision.crd != crd {
                findings.writes.push(StatusWrite { object, decision });
            }
        }
        findings
    }

    /// Looks at a definition again although it did not change.
    pub(super) fn retry(&mut self, name: &str) {
        if let Some(known) = self.known.get_mut(name) {
            known.retry = true;
        }
    }

    /// Drops definitions that are gone; gives the groups in which names came free.
    fn forget_absent(&mut self, snapshot: &Snapshot, findings: &mut Findings) -> BTreeSet<String> {
        let gone: Vec<Arc<str>> = self
            .known
            .keys()
            .filter(|name| snapshot.get("", name).is_none())
            .cloned()
            .collect();
        let known = gone.iter().filter_map(|name| self.known.remove(name));
        let groups = known.map(|known| known.group).collect();
        findings.table_changed |= !gone.is_empty();
        groups
    }

    fn is_due(&self, object: &Obj, freed: &BTreeSet<String>) -> bool {
        match self.known.get(object.name()) {
            None => true,
            Some(known) => {
                let may_get_names = known.waits && freed.contains(&known.group);
                known.object.revision != object.revision || known.retry || may_get_names
            }
        }
    }

    /// The names that all but one definition of a group hold, and those of built-in kinds.
    fn claimed(&self, group: &str, but: &str) -> ClaimedNames {
        let builtin = self.builtin.iter().filter(|row| &*row.group == group);
        let mut claimed = claimed_names(builtin.map(|row| &**row));
        let others = self
            .known
            .iter()
            .filter(|(name, known)| known.group == group && &***name != but);
        others.for_each(|(_, known)| claimed.add(&known.accepted));
        claimed
    }

    fn update(
        &mut self,
        object: &Arc<Obj>,
        group: String,
        decision: &Decision,
        findings: &mut Findings,
    ) {
        let old = self.known.remove(object.name());
        let unchanged = old.as_ref().is_some_and(|old| {
            old.fingerprint == decision.fingerprint && old.row.is_some() == decision.serve
        });
        let row = match old {
            Some(old) if unchanged => old.row,
            _ => {
                findings.table_changed = true;
                self.make_row(decision)
            }
        };
        if decision.fresh
            && let Some(row) = &row
        {
            findings.fresh.push(row.resource.clone());
        }
        let known = Known {
            object: object.clone(),
            group,
            accepted: decision.accepted.clone(),
            waits: decision.waits,
            retry: false,
            terminating: decision.terminating,
            fingerprint: decision.fingerprint,
            row,
        };
        self.known.insert(object.name().clone(), known);
    }

    fn make_row(&mut self, decision: &Decision) -> Option<Arc<Kind>> {
        if !decision.serve {
            return None;
        }
        self.next_epoch += 1;
        match custom_row(
            &decision.crd,
            &decision.accepted,
            decision.terminating,
            self.next_epoch,
        ) {
            Ok(row) => Some(Arc::new(row)),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a definition cannot be served"
                );
                None
            }
        }
    }
}

/// The definitions that are due, oldest first: names go to who came first.
fn in_order(snapshot: &Snapshot, due: impl Fn(&Obj) -> bool) -> Vec<Arc<Obj>> {
    let mut list: Vec<Arc<Obj>> = snapshot
        .objects
        .values()
        .filter(|object| due(object))
        .cloned()
        .collect();
    list.sort_by_key(|object| (object.revision, object.name().clone()));
    list
}
