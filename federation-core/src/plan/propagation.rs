//! The plan of an object that is not being deleted.

use std::collections::BTreeSet;

use federation_api::finalizers::SYNC_CONTROLLER;
use federation_api::reasons::{MemberReason, propagation};

use super::member::{self, Removal, Verdict};
use super::snapshot::{Observed, Scene, Snapshot};
use super::step::{Action, DeleteOptions, Finalizer, Flow, Plan, Problem, Standing, Step};
use crate::field::Path;
use crate::mask::{Permit, Reach};
use crate::member::{Leaving, Member};
use crate::placement::{self, NamespaceRule, Topology};
use crate::selector::InvalidSelector;

pub(super) fn plan(snapshot: &Snapshot<'_>) -> Plan {
    let scene = Scene::new(snapshot);
    let mut plan = Plan {
        flow: Flow::Propagate,
        finalizer: if snapshot.object.has_finalizer(SYNC_CONTROLLER) {
            Finalizer::Keep
        } else {
            Finalizer::Add
        },
        steps: Vec::new(),
        selected: BTreeSet::new(),
        problem: None,
        events: scene.blueprint.warnings(),
    };
    let choice = match Choice::of(&scene) {
        Ok(choice) => choice,
        Err(error) => {
            plan.problem = Some(Problem {
                reason: propagation::COMPUTE_PLACEMENT_FAILED,
                message: error.to_string(),
            });
            return plan;
        }
    };
    plan.steps = scene
        .reach
        .values()
        .filter_map(|member| step(&scene, &choice, member))
        .collect();
    plan.problem = choice.problem;
    plan.selected = choice.reach.selected;
    plan
}

/// Which members the object names.
struct Choice {
    reach: Reach,
    /// Plain clusters that are selected, but it cannot be told whether the namespace admits them.
    undecided: BTreeSet<String>,
    problem: Option<Problem>,
}

impl Choice {
    fn of(scene: &Scene<'_>) -> Result<Self, InvalidSelector> {
        let object = scene.snapshot.object;
        let (topology, spec) = (Topology::of(object), Path::new("spec"));
        let members = || scene.reach.values().copied();
        let path = spec.child("placement");
        let mut selected =
            placement::resolve(object.spec.placement.as_ref(), &topology, members(), &path)?;
        selected.retain(|name| {
            let cell = scene
                .reach
                .get(name.as_str())
                .and_then(|member| member.cell.as_ref());
            cell.is_none_or(|cell| cell.leaving.is_none())
        });
        let mask = match &object.spec.placement_mask {
            None => None,
            mask => Some(placement::resolve(
                mask.as_ref(),
                &topology,
                members(),
                &spec.child("placementMask"),
            )?),
        };
        let plain = |name: &String| {
            scene
                .reach
                .get(name.as_str())
                .is_some_and(|member| member.cell.is_none())
        };
        let names_plain = !topology.cells || selected.iter().any(plain);
        let mut undecided = BTreeSet::new();
        let mut problem = None;
        match scene.snapshot.namespace_rule {
            None => {
                undecided = selected
                    .iter()
                    .filter(|name| plain(name))
                    .cloned()
                    .collect();
                // A cluster that is not selected anyway is no different when the namespace does not admit it.
            }
            Some(rule) => {
                selected.retain(|name| {
                    scene
                        .reach
                        .get(name.as_str())
                        .is_some_and(|member| rule.admits(member))
                });
                if *rule == NamespaceRule::NotFederated && names_plain {
                    let namespace = object.namespace();
                    problem = Some(Problem {
                        reason: propagation::NAMESPACE_NOT_FEDERATED,
                        message: format!(
                            "namespace {namespace:?} has no FederatedNamespace, so no cluster gets the object"
                        ),
                    });
                }
            }
        }
        let reach = Reach { selected, mask };
        Ok(Self {
            reach,
            undecided,
            problem,
        })
    }
}

fn step(scene: &Scene<'_>, choice: &Choice, member: &Member) -> Option<Step> {
    let permit = choice.reach.permit(&member.name);
    let leaving = member.cell.as_ref().and_then(|cell| cell.leaving);
    let (standing, (action, reason, message)) = match (leaving, permit) {
        // Its owner decided about the whole cell; a mask guards changes of the object.
        (Some(Leaving::Delete), _) => (Standing::Left, removed(scene, member, DELETED)?),
        (Some(Leaving::Orphan), _) => (Standing::Left, removed(scene, member, Removal::Unlabel)?),
        (None, Permit::Write) if choice.undecided.contains(&member.name) => {
            let message = "whether the namespace is federated is not known yet";
            (
                Standing::Writable,
                member::wait(MemberReason::CachedRetrievalFailed, message),
            )
        }
        (None, Permit::Write) => (Standing::Writable, member::write(scene, member)),
        (None, Permit::Hold) => (Standing::Held, held(member)),
        (None, Permit::Remove) => (Standing::Left, removed(scene, member, DELETED)?),
        (None, Permit::Keep) => (Standing::Left, kept(scene, member)?),
    };
    Some(Step {
        member: member.name.clone(),
        standing,
        action,
        reason,
        message,
        applied: scene.blueprint.applied(member),
    })
}

/// KubeFed uses the deleteoption annotation only when the whole object is deleted.
const DELETED: Removal = Removal::Delete(DeleteOptions {
    grace_period_seconds: None,
    propagation_policy: None,
    preconditions: None,
});

fn removed(scene: &Scene<'_>, member: &Member, removal: Removal) -> Option<Verdict> {
    member::remove(scene, member, &removal, scene.is_recorded(member))
}

fn held(member: &Member) -> Verdict {
    let message = if member.ready {
        "the placement mask does not name it: left exactly as it is"
    } else {
        "the placement mask does not name it: left exactly as it is; the cluster is not ready"
    };
    (Action::Leave, Some(MemberReason::Masked), message.into())
}

/// Not selected, and the mask does not name it: whatever is there stays. Told only if something is there.
fn kept(scene: &Scene<'_>, member: &Member) -> Option<Verdict> {
    if scene.no_place(member).is_some() {
        return None;
    }
    let there = match scene.observed(member) {
        Observed::Present(object) if member.ready => crate::retention::is_managed(object),
        Observed::Absent if member.ready => false,
        _ => scene.is_recorded(member),
    };
    let message =
        "it left the placement, but the placement mask does not name it: left exactly as it is";
    there.then(|| (Action::Leave, Some(MemberReason::Masked), message.into()))
}
