//! The plan of an object that is being deleted, or is gone.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::finalizers::SYNC_CONTROLLER;
use federation_api::reasons::MemberReason;
use federation_api::{annotations, events};
use serde_json::Value;

use super::member::{self, NOT_READY, Removal, is_terminating};
use super::snapshot::{Observed, Scene, Snapshot};
use super::step::{Action, DeleteOptions, Finalizer, Flow, Plan, Standing, Step};
use crate::event::Event;
use crate::field::Path;
use crate::member::{Leaving, Member};
use crate::placement::{self, Topology};
use crate::retention::is_managed;

/// Deletes everywhere, whatever mask there is. Every member within reach that shows a managed object is taken in,
/// not only the current placement: a mask may have kept some that left it.
///
/// A member that cannot be reached and may hold the object keeps the finalizer, unless the object is to be orphaned: then
/// the label is taken off when the member comes back (see [`release`]), so the orphan annotation is the way out for a
/// member that never will. Unregistering the member is another.
pub(super) fn plan(snapshot: &Snapshot<'_>) -> Plan {
    let scene = Scene::new(snapshot);
    let orphan = snapshot.object.annotation(annotations::ORPHAN) == Some(annotations::ORPHAN_TRUE);
    let mut plan = Plan {
        flow: if orphan { Flow::Orphan } else { Flow::Delete },
        finalizer: Finalizer::Keep,
        steps: Vec::new(),
        selected: BTreeSet::new(),
        problem: None,
        events: Vec::new(),
    };
    if !snapshot.object.has_finalizer(SYNC_CONTROLLER) {
        return plan;
    }
    let members = || scene.reach.values().copied();
    let placed = placement::resolve(
        snapshot.object.spec.placement.as_ref(),
        &Topology::of(snapshot.object),
        members(),
        &Path::new("spec").child("placement"),
    );
    // Without a usable selector any member may hold the object.
    let placed = placed.unwrap_or_else(|_| members().map(|member| member.name.clone()).collect());
    let is_expected = |member: &Member| placed.contains(&member.name) || scene.is_recorded(member);
    let removal = removal(snapshot, orphan);
    for member in members() {
        let removal = match member.cell.as_ref().and_then(|cell| cell.leaving) {
            Some(Leaving::Orphan) => &Removal::Unlabel,
            _ => &removal,
        };
        let expected = is_expected(member) && (!orphan || member.ready);
        if let Some((action, reason, message)) = member::remove(&scene, member, removal, expected) {
            plan.steps.push(Step {
                member: member.name.clone(),
                standing: Standing::Left,
                action,
                reason,
                message,
                applied: scene.blueprint.applied(member),
            });
        }
    }
    if plan.steps.is_empty() {
        let verify = members().filter(|member| {
            member.ready && is_expected(member) && scene.no_place(member).is_none()
        });
        plan.finalizer = Finalizer::Remove {
            verify: verify.map(|member| member.name.clone()).collect(),
        };
    } else {
        let left: Vec<&str> = plan.steps.iter().map(|step| step.member.as_str()).collect();
        let message = format!(
            "Waiting for the object to be removed from {}",
            left.join(", ")
        );
        plan.events
            .push(Event::normal(events::WAIT_FOR_REMOVAL, message));
    }
    plan
}

fn removal(snapshot: &Snapshot<'_>, orphan: bool) -> Removal {
    if orphan {
        return Removal::Unlabel;
    }
    match snapshot.object.annotation(annotations::DELETE_OPTION) {
        None => Removal::Delete(DeleteOptions::default()),
        Some(text) => match DeleteOptions::parse(text) {
            Ok(options) => Removal::Delete(options),
            Err(error) => {
                let key = annotations::DELETE_OPTION;
                Removal::Blocked(format!("annotation {key} cannot be read: {error}"))
            }
        },
    }
}

/// True if a live read shows that a deleted federated object has nothing left in a member: no object, or one that is not
/// managed.
#[must_use]
pub fn is_gone(live: Option<&Value>) -> bool {
    live.is_none_or(|object| !is_managed(object))
}

/// Steps for member objects whose federated object does not exist (any more): they lose the managed label and stay
/// (KubeFed). `members` are those in which an object of this name may come from that federated object; what stands
/// there is in `observed`. A member that is not ready is waited for.
#[must_use]
pub fn release(members: &[&Member], observed: &BTreeMap<String, Observed<'_>>) -> Vec<Step> {
    let mut members = members.to_vec();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    members
        .into_iter()
        .filter_map(|member| {
            let (action, reason, message) = match observed.get(&member.name) {
                Some(Observed::Present(_)) if !member.ready => {
                    member::wait(MemberReason::ClusterNotReady, NOT_READY)
                }
                Some(Observed::Present(object))
                    if is_managed(object) && !is_terminating(object) =>
                {
                    let message = "no federated object stands for it: it stays unmanaged";
                    (Action::RemoveManagedLabel, None, message.to_owned())
                }
                _ => return None,
            };
            Some(Step {
                member: member.name.clone(),
                standing: Standing::Left,
                action,
                reason,
                message,
                applied: String::new(),
            })
        })
        .collect()
}
