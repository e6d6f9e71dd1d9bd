//! What came of a plan: the new status, the new record, and whether to come back.

mod condition;
mod entries;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use federation_api::federated::Counts;
use federation_api::federated::southbound::Status;
use federation_api::kinds::PropagatedVersionStatus;
use federation_api::reasons::MemberReason;
use federation_api::time::Time;
use serde_json::Value;

use crate::desired::Blueprint;
use crate::member::Member;
use crate::plan::{Action, Plan, Snapshot, Standing, Step};
use crate::record::{self, Written};
use crate::version::object_version;

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The word for status.
    pub reason: MemberReason,
    /// A sentence.
    pub message: String,
}

/// What became of an operation: the object as the member holds it now, `None` if it is gone.
pub type Done = Result<Option<Value>, Failure>;

/// What is to be told and remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The new status; equal to the stored one if there is nothing new to tell.
    pub status: Status,
    /// The new record; equal to the stored one if nothing was written.
    pub record: PropagatedVersionStatus,
    /// When to look again, if nothing happens before.
    pub requeue: Requeue,
}

/// When to look at an object again without an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requeue {
    /// Not at all.
    Never,
    /// After a while (KubeFed: 10 s): something is on its way out.
    Recheck,
    /// With growing delays: something failed that may work next time.
    Backoff,
}

/// Settings of [`finish`].
#[derive(Clone, Copy, Debug)]
pub struct Telling {
    /// Whether entries hold the member objects' `.status`.
    pub remote_status: bool,
    /// What time it is.
    pub now: Time,
}

/// Sums up. `done` has, by member, what became of each step that is an operation; one that is missing counts as not
/// finished in time.
#[must_use]
pub fn finish(
    snapshot: &Snapshot<'_>,
    plan: &Plan,
    done: &BTreeMap<String, Done>,
    telling: Telling,
) -> Outcome {
    let blueprint = Blueprint::new(snapshot.object, snapshot.target);
    let all: Vec<&Member> = snapshot.members.iter().collect();
    let before = record::read(snapshot.record, &blueprint, &all);
    let results: Vec<Finished<'_>> = plan
        .steps
        .iter()
        .map(|step| Finished::of(step, done))
        .collect();
    let is_placed = plan.problem.as_ref().is_none_or(|problem| {
        problem.reason != federation_api::reasons::propagation::COMPUTE_PLACEMENT_FAILED
    });
    let written = if is_placed {
        written(snapshot, &before, &results)
    } else {
        before
    };
    let members: BTreeMap<&str, &Member> =
        all.iter().map(|one| (one.name.as_str(), *one)).collect();
    let applied = |name: &str| members.get(name).map(|member| blueprint.applied(member));
    let mut record = match snapshot.record {
        Some(stored) if !is_placed => stored.clone(),
        _ => record::make(&blueprint, &written, applied),
    };
    if let Some(stored) = snapshot.record {
        keep_kubefeds_entries(&mut record, stored);
    }
    let stored = snapshot.object.status.clone().unwrap_or_default();
    let scope = entries::Scope {
        snapshot,
        stored: stored.clusters.as_deref().unwrap_or_default(),
        written: &written,
        remote_status: telling.remote_status,
    };
    let clusters = if is_placed {
        scope.entries(&results)
    } else {
        scope.stored.to_vec()
    };
    let mut status = Status {
        observed_generation: snapshot.object.metadata.generation,
        conditions: None,
        counts: Some(if is_placed {
            counts(plan, &results, &written)
        } else {
            stored.counts.unwrap_or_default()
        }),
        clusters: Some(clusters),
        other: stored.other.clone(),
    };
    let wrote = results.iter().any(|result| result.wrote());
    condition::set(&mut status, &stored, plan, &blueprint, wrote, telling.now);
    Outcome {
        status,
        record,
        requeue: requeue(&results),
    }
}

/// A step with what came of it.
pub(crate) struct Finished<'a> {
    pub(crate) step: &'a Step,
    /// The object as it is now, if the step was an operation that succeeded and did not remove it.
    pub(crate) object: Option<&'a Value>,
    /// True if the object is known to be gone, or not managed any more.
    pub(crate) left: bool,
    pub(crate) reason: Option<MemberReason>,
    pub(crate) message: String,
}

impl<'a> Finished<'a> {
    fn of(step: &'a Step, done: &'a BTreeMap<String, Done>) -> Self {
        let mut finished = Self {
            step,
            object: None,
            left: false,
            reason: step.reason,
            message: step.message.clone(),
        };
        if !step.action.is_operation() {
            return finished;
        }
        match (done.get(&step.member), &step.action) {
            (None, action) => {
                finished.reason = action.timed_out();
                finished.message = "the operation has not ended yet".to_owned();
            }
            (Some(Err(failure)), _) => {
                finished.reason = Some(failure.reason);
                finished.message.clone_from(&failure.message);
            }
            (Some(Ok(None)), Action::Delete(_) | Action::RemoveManagedLabel) => {
                finished.left = true
            }
            (Some(Ok(Some(_))), Action::RemoveManagedLabel) => finished.left = true,
            (Some(Ok(object)), Action::Delete(_)) => {
                finished.object = object.as_ref();
                finished.reason = Some(MemberReason::WaitingForRemoval);
                finished.message = "the object is being deleted in the cluster".to_owned();
            }
            (Some(Ok(object)), _) => finished.object = object.as_ref(),
        }
        finished
    }

    /// True if an operation succeeded.
    fn wrote(&self) -> bool {
        self.step.action.is_operation() && (self.object.is_some() || self.left)
    }
}

/// What stands in members now: what was recorded, less what is gone, with what was written just now.
fn written(
    snapshot: &Snapshot<'_>,
    before: &BTreeMap<String, Written>,
    results: &[Finished<'_>],
) -> BTreeMap<String, Written> {
    let results: BTreeMap<&str, &Finished<'_>> = results
        .iter()
        .map(|result| (result.step.member.as_str(), result))
        .collect();
    let mut after = BTreeMap::new();
    for member in snapshot.members {
        let recorded = before.get(&member.name).cloned();
        let now = match results.get(member.name.as_str()) {
            // Within reach and nothing there: the entry has done its duty. Beyond reach it stays, for a tenancy that returns.
            None if snapshot.tenancy.reaches(&member.labels) => None,
            None => recorded,
            Some(result) => match (&result.step.action, result.object) {
                _ if result.left => None,
                (Action::Record(version), _) => Some(Written {
                    version: version.clone(),
                    applied: Some(result.step.applied.clone()),
                }),
                (action, Some(object)) if action.is_write() => Some(Written {
                    version: object_version(object),
                    applied: Some(result.step.applied.clone()),
                }),
                _ => recorded,
            },
        };
        if let Some(now) = now {
            after.insert(member.name.clone(), now);
        }
    }
    after
}

/// An entry that KubeFed made and that still says the same is left as it is: a takeover writes nothing.
fn keep_kubefeds_entries(record: &mut PropagatedVersionStatus, stored: &PropagatedVersionStatus) {
    let same_specification = record.template_version == stored.template_version
        && record.overrides_version == stored.overrides_version;
    if !same_specification {
        return;
    }
    for entry in &mut record.cluster_versions {
        let stored = stored.cluster_versions.iter();
        let unchanged = stored
            .filter(|old| old.applied.is_none())
            .any(|old| old.cluster_name == entry.cluster_name && old.version == entry.version);
        if unchanged {
            entry.applied = None;
        }
    }
}

fn counts(plan: &Plan, results: &[Finished<'_>], written: &BTreeMap<String, Written>) -> Counts {
    let count = |keep: &dyn Fn(&Finished<'_>) -> bool| {
        i64::try_from(results.iter().filter(|result| keep(result)).count()).unwrap_or(i64::MAX)
    };
    let is_updated = |result: &Finished<'_>| {
        let runs = written
            .get(&result.step.member)
            .and_then(|written| written.applied.as_ref());
        result.step.standing != Standing::Left && runs == Some(&result.step.applied)
    };
    Counts {
        topologies: i64::try_from(plan.selected.len()).unwrap_or(i64::MAX),
        updated: count(&is_updated),
        masked: count(&|result| result.step.standing == Standing::Held),
        failing: count(&|result| result.reason.is_some_and(MemberReason::is_failure)),
    }
}

fn requeue(results: &[Finished<'_>]) -> Requeue {
    let of_reason = |reason: MemberReason| match reason {
        reason if reason.is_recoverable() => Requeue::Backoff,
        MemberReason::WaitingForRemoval => Requeue::Recheck,
        _ => Requeue::Never,
    };
    let all = results.iter().filter_map(|result| result.reason);
    all.map(of_reason).max().unwrap_or(Requeue::Never)
}
