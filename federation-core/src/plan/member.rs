//! What to do in one member that may be written, or that the object left.

use federation_api::kinds::UpdateStrategy;
use federation_api::reasons::MemberReason;
use serde_json::Value;

use super::snapshot::{Observed, Scene};
use super::step::{Action, DeleteOptions};
use crate::desired::{has_same_metadata, is_same};
use crate::member::Member;
use crate::retention::{is_managed, refuses_management};
use crate::version::object_version;

/// Action, word and sentence of a step.
pub(super) type Verdict = (Action, Option<MemberReason>, String);

pub(super) fn wait(reason: MemberReason, message: impl Into<String>) -> Verdict {
    (Action::Wait, Some(reason), message.into())
}

fn leave(reason: MemberReason, message: impl Into<String>) -> Verdict {
    (Action::Leave, Some(reason), message.into())
}

pub(super) fn is_terminating(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null())
}

pub(super) const NOT_READY: &str = "the cluster is not ready";
const NOT_READ: &str = "what the cluster holds is not known yet";

/// What is observed, or why nothing can be done before it is.
pub(super) fn look<'a>(scene: &Scene<'a>, member: &Member) -> Result<Option<&'a Value>, Verdict> {
    if !member.ready {
        return Err(wait(MemberReason::ClusterNotReady, NOT_READY));
    }
    match scene.observed(member) {
        Observed::Unknown => Err(wait(MemberReason::CachedRetrievalFailed, NOT_READ)),
        Observed::Failed { reason, message } => Err(wait(reason, message)),
        Observed::Absent => Ok(None),
        Observed::Present(object) => Ok(Some(object)),
    }
}

/// In a member that may be written: make it hold the desired object.
pub(super) fn write(scene: &Scene<'_>, member: &Member) -> Verdict {
    if let Some(message) = scene.no_place(member) {
        return wait(MemberReason::ComputeResourceFailed, message);
    }
    let observed = match look(scene, member) {
        Ok(observed) => observed,
        Err(verdict) => return verdict,
    };
    let strategy = scene.snapshot.target.strategy;
    let Some(observed) = observed else {
        return match scene.blueprint.desired(member, None) {
            Ok(object) => (
                Action::Create(object),
                None,
                "the cluster does not hold the object yet".into(),
            ),
            Err(error) => wait(error.reason(), error.to_string()),
        };
    };
    if is_terminating(observed) {
        let message = "the object is being deleted in the cluster; it is made anew when it is gone";
        return wait(MemberReason::WaitingForRemoval, message);
    }
    if refuses_management(observed) {
        let message = "the object in the cluster is labelled kubefed.io/managed=false";
        return leave(MemberReason::ManagedLabelFalse, message);
    }
    let adopts = !is_managed(observed);
    if adopts && !scene.snapshot.adopt && !scene.is_hub_namespace(observed) {
        let message = "an object of that name exists that is not managed, and adoption is disabled";
        return leave(MemberReason::AlreadyExists, message);
    }
    if strategy == UpdateStrategy::CreateOnly {
        return if adopts {
            let message = "an object of that name exists that is not managed, and the type is only ever created";
            leave(MemberReason::AlreadyExists, message)
        } else {
            (
                Action::Nothing,
                None,
                "the type is only ever created".into(),
            )
        };
    }
    let object = match scene.blueprint.desired(member, Some(observed)) {
        Ok(object) => object,
        Err(error) => return wait(error.reason(), error.to_string()),
    };
    compare(scene, member, observed, object, adopts)
}

/// Decides whether `observed` must become `object`.
fn compare(
    scene: &Scene<'_>,
    member: &Member,
    observed: &Value,
    object: Value,
    adopts: bool,
) -> Verdict {
    let partial = scene.snapshot.target.strategy == UpdateStrategy::ServerSideApply;
    let version = object_version(observed);
    let written = scene.written.get(&member.name);
    let applied = scene.blueprint.applied(member);
    let runs_it = written.is_some_and(|written| written.applied.as_ref() == Some(&applied));
    let untouched = written.is_some_and(|written| written.version == version);
    if runs_it && untouched && !adopts {
        if version.starts_with("rv:") || has_same_metadata(&object, observed, partial) {
            return (Action::Nothing, None, "up to date".into());
        }
    } else if !adopts && is_same(&object, observed, partial) {
        return (Action::Record(version), None, "up to date".into());
    }
    let message = match (adopts, runs_it, written.is_some()) {
        (true, ..) => "an object that was not managed is taken over",
        (_, true, _) => "the object was changed in the cluster",
        (_, _, true) => "the federated object was changed",
        (_, _, false) => "what the cluster holds is not on record",
    };
    let action = if partial {
        Action::Apply { object, adopts }
    } else {
        Action::Replace { object, adopts }
    };
    (action, None, message.into())
}

/// How the object is to leave a member.
#[derive(Clone, Debug)]
pub(super) enum Removal {
    /// Deleted.
    Delete(DeleteOptions),
    /// Left behind without its managed label.
    Unlabel,
    /// Nothing can be done, for this reason.
    Blocked(String),
}

/// In a member that must not hold the object any more. `None`: it does not, and nothing is left to tell.
/// `expected`: the object may be there although nobody has seen it.
pub(super) fn remove(
    scene: &Scene<'_>,
    member: &Member,
    removal: &Removal,
    expected: bool,
) -> Option<Verdict> {
    if scene.no_place(member).is_some() {
        return None;
    }
    let observed = match look(scene, member) {
        Ok(observed) => observed?,
        Err((action, reason, message)) => {
            let message = format!("{message}, so the object cannot be removed from it");
            return expected.then_some((action, reason, message));
        }
    };
    if !is_managed(observed) {
        return None;
    }
    let deletes = !matches!(removal, Removal::Unlabel) && !scene.is_hub_namespace(observed);
    if is_terminating(observed) && deletes {
        let message = "the object is being deleted in the cluster";
        return Some(wait(MemberReason::WaitingForRemoval, message));
    }
    Some(match removal {
        Removal::Delete(options) if deletes => {
            let options = options.clone().of(observed);
            (
                Action::Delete(options),
                None,
                "the object is to leave the cluster".into(),
            )
        }
        Removal::Blocked(message) if deletes => wait(MemberReason::DeletionFailed, message.clone()),
        _ => (
            Action::RemoveManagedLabel,
            None,
            "the object stays in the cluster unmanaged".into(),
        ),
    })
}
