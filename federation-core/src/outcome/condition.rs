//! The condition `Propagation`.

use federation_api::conditions::{FALSE, PROPAGATION, TRUE};
use federation_api::federated::PropagationCondition;
use federation_api::federated::southbound::Status;
use federation_api::reasons::{MemberReason, propagation};
use federation_api::time::Time;

use crate::desired::Blueprint;
use crate::plan::{Flow, Plan};

/// Members that the condition's message names at most.
const NAMED: usize = 3;

/// Gives `status` its condition. Times are KubeFed's: `lastTransitionTime` changes with status or reason, `lastUpdateTime`
/// also when anything else in the status did, or when something was written to a member.
pub(super) fn set(
    status: &mut Status,
    stored: &Status,
    plan: &Plan,
    blueprint: &Blueprint<'_>,
    wrote: bool,
    now: Time,
) {
    let mut condition = judge(status, plan, blueprint);
    let last = stored
        .conditions
        .iter()
        .flatten()
        .find(|last| last.type_ == PROPAGATION);
    let same_word =
        last.is_some_and(|last| last.status == condition.status && last.reason == condition.reason);
    let same_rest = stored.clusters.as_deref().unwrap_or_default()
        == status.clusters.as_deref().unwrap_or_default()
        && stored.counts == status.counts
        && last.is_some_and(|last| last.message == condition.message);
    let kept = |time: fn(&PropagationCondition) -> Option<Time>, keep: bool| {
        last.filter(|_| keep).and_then(time).unwrap_or(now)
    };
    condition.last_transition_time = Some(kept(|last| last.last_transition_time, same_word));
    condition.last_update_time = Some(kept(
        |last| last.last_update_time,
        same_word && same_rest && !wrote,
    ));
    status.conditions = Some(vec![condition]);
}

fn judge(status: &Status, plan: &Plan, blueprint: &Blueprint<'_>) -> PropagationCondition {
    let troubled: Vec<String> = status
        .clusters
        .iter()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry,
                entry
                    .reason
                    .filter(|reason| *reason != MemberReason::Masked)?,
            ))
        })
        .map(|(entry, reason)| format!("{}: {reason}", entry.name))
        .collect();
    let (reason, mut sentences) = match &plan.problem {
        Some(problem) => (Some(problem.reason), vec![problem.message.clone()]),
        None if troubled.is_empty() => (None, Vec::new()),
        None => (Some(propagation::CHECK_CLUSTERS), vec![list(&troubled)]),
    };
    let masked = status.counts.map_or(0, |counts| counts.masked);
    if masked > 0 {
        sentences.push(format!("{masked} masked"));
    }
    let ignored = blueprint.ignored_annotations();
    if plan.flow == Flow::Propagate && !ignored.is_empty() {
        sentences.push(format!(
            "annotations that are not propagated: {}",
            ignored.join(", ")
        ));
    }
    PropagationCondition {
        type_: PROPAGATION.to_owned(),
        status: if reason.is_none() { TRUE } else { FALSE }.to_owned(),
        reason: reason.map(str::to_owned),
        message: (!sentences.is_empty()).then(|| sentences.join("; ")),
        last_update_time: None,
        last_transition_time: None,
    }
}

fn list(troubled: &[String]) -> String {
    let named = troubled
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match troubled.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
