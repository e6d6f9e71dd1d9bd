//! The decision inside a write transaction: which mutations happen, and with which revisions.
//!
//! Pure: from the counter and the current records to verdicts and changes. Mutations are judged in order and
//! see each other; one that fails neither burns a revision nor touches the others.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{Action, Change, ChangeKind, Expect, Key, Mutation, Previous, Record, Revision};

/// A mutation did not find what it expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What is there instead, as the mutations before it in the batch left it.
    pub current: Option<Record>,
}

/// How one mutation of a batch ended, provided that the transaction commits.
pub(crate) type Verdict = Result<Revision, Conflict>;

/// What a batch decided.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The counter before.
    pub(crate) base: Revision,
    /// One per mutation, in their order.
    pub(crate) verdicts: Vec<Verdict>,
    /// What to write, in revision order.
    pub(crate) changes: Arc<[Change]>,
    /// What marks the transaction in the database, if anything does.
    pub(crate) tag: Option<u64>,
}

/// Mutations that go through one transaction together.
#[derive(Debug)]
pub struct Batch {
    mutations: Vec<Mutation>,
    tag: Option<u64>,
    floor: Revision,
    plan: Option<Plan>,
}

impl Batch {
    /// A batch that judges `mutations` in that order.
    pub fn new(mutations: Vec<Mutation>) -> Self {
        Self {
            mutations,
            tag: None,
            floor: Revision::ZERO,
            plan: None,
        }
    }

    /// The same batch, which decides nothing if the counter is below `floor`: then the database has forgotten
    /// what it once acknowledged, and new changes would get numbers that others already know.
    #[must_use]
    pub(crate) fn not_before(self, floor: Revision) -> Self {
        Self { floor, ..self }
    }

    /// The keys whose current records [`Batch::plan`] needs, each once, in order.
    pub fn keys(&self) -> BTreeSet<&Key> {
        self.mutations
            .iter()
            .map(|mutation| &mutation.key)
            .collect()
    }

    /// Names the transaction that is to carry this batch, before [`Batch::plan`]: no other transaction has that
    /// number, and the log will show it. Backends that one process has to itself need none.
    pub fn set_tag(&mut self, tag: u64) {
        self.tag = Some(tag);
    }

    /// Decides, given the counter and the current records of [`Batch::keys`] (those that exist), both read
    /// after the counter row was locked. Returns the changes to write; their revisions follow `base` without
    /// a gap. A backend that tries a failed transaction again plans again; the last plan counts.
    pub fn plan(
        &mut self,
        base: Revision,
        current: impl IntoIterator<Item = Record>,
    ) -> Arc<[Change]> {
        if base < self.floor {
            self.plan = None;
            return Arc::default();
        }
        let mut state: HashMap<Key, Record> = current
            .into_iter()
            .map(|record| (record.key.clone(), record))
            .collect();
        let mut last = base;
        let mut changes = Vec::with_capacity(self.mutations.len());
        let verdicts = self
            .mutations
            .iter()
            .map(|mutation| {
                let change = decide(state.get(&mutation.key), mutation, last.next())?;
                last = change.revision;
                match change.record() {
                    Some(record) => state.insert(change.key.clone(), record),
                    None => state.remove(&change.key),
                };
                changes.push(change);
                Ok(last)
            })
            .collect();
        let changes: Arc<[Change]> = changes.into();
        self.plan = Some(Plan {
            base,
            verdicts,
            changes: changes.clone(),
            tag: self.tag,
        });
        changes
    }

    /// What was decided; `None` if the transaction never came so far.
    pub(crate) fn into_plan(self) -> Option<Plan> {
        self.plan
    }

    /// What was to be written.
    pub(crate) fn into_mutations(self) -> Vec<Mutation> {
        self.mutations
    }
}

/// Judges one mutation against what is there.
fn decide(
    current: Option<&Record>,
    mutation: &Mutation,
    revision: Revision,
) -> Result<Change, Conflict> {
    let Mutation {
        key,
        expect,
        action,
    } = mutation;
    let conflict = || Conflict {
        current: current.cloned(),
    };
    if !expect.is_met_by(current) {
        return Err(conflict());
    }
    let (kind, value) = match (action, expect) {
        (Action::Put(value), Expect::Absent) => (ChangeKind::Created, value),
        (Action::Put(value), Expect::Revision(_)) => (ChangeKind::Updated, value),
        (Action::Delete(_), Expect::Absent) => return Err(conflict()),
        (Action::Delete(value), Expect::Revision(_)) => (ChangeKind::Deleted, value),
    };
    Ok(Change {
        revision,
        key: key.clone(),
        kind,
        create_revision: current.map_or(revision, |record| record.create_revision),
        value: value.clone(),
        previous: current.map(|record| Previous {
            revision: record.revision,
            value: record.value.clone(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(name: &str, expect: Expect, value: &'static str) -> Mutation {
        Mutation {
            key: Key::new("/x", "ns", name),
            expect,
            action: Action::Put(value.into()),
        }
    }

    fn delete(name: &str, expect: Expect) -> Mutation {
        Mutation {
            key: Key::new("/x", "ns", name),
            expect,
            action: Action::Delete("end".into()),
        }
    }

    fn at(revision: u64) -> Expect {
        Expect::Revision(Revision::new(revision))
    }

    #[test]
    fn mutations_of_one_batch_see_each_other_and_failures_burn_nothing() {
        let mut batch = Batch::new(vec![
            put("a", Expect::Absent, "1"), // 11
            put("a", Expect::Absent, "2"), // conflict with 11
            put("b", at(3), "3"),          // conflict with nothing
            put("a", at(11), "4"),         // 12
            delete("a", at(12)),           // 13
            delete("a", Expect::Absent),   // never
            put("a", Expect::Absent, "5"), // 14
        ]);
        let changes = batch.plan(Revision::new(10), []);
        let plan = batch.into_plan().unwrap();
        let verdicts: Vec<_> = plan
            .verdicts
            .iter()
            .map(|verdict| match verdict {
                Ok(revision) => Ok(revision.get()),
                Err(Conflict { current }) => Err(current.as_ref().map(|r| r.revision.get())),
            })
            .collect();
        let expected = [
            Ok(11),
            Err(Some(11)),
            Err(None),
            Ok(12),
            Ok(13),
            Err(None),
            Ok(14),
        ];
        assert_eq!(verdicts, expected);
        assert_eq!(plan.base, Revision::new(10));
        let shown: Vec<_> = changes
            .iter()
            .map(|c| {
                let previous = c.previous.as_ref().map(|p| p.revision.get());
                (c.revision.get(), c.kind, c.create_revision.get(), previous)
            })
            .collect();
        let expected = [
            (11, ChangeKind::Created, 11, None),
            (12, ChangeKind::Updated, 11, Some(11)),
            (13, ChangeKind::Deleted, 11, Some(12)),
            (14, ChangeKind::Created, 14, None),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn nothing_is_decided_on_a_counter_that_went_back() {
        let mut batch =
            Batch::new(vec![put("a", Expect::Absent, "1")]).not_before(Revision::new(5));
        assert!(batch.plan(Revision::new(4), []).is_empty());
        assert!(batch.into_plan().is_none());
    }
}
