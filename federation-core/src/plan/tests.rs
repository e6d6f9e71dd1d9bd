//! Plans, on examples and as laws.

use std::collections::BTreeMap;

use federation_api::annotations;
use federation_api::kinds::UpdateStrategy;
use federation_api::reasons::propagation;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::member::{Leaving, Member};
use crate::outcome::{Done, Telling, finish};
use crate::placement::NamespaceRule;
use crate::target::Target;
use crate::testing::{World, cell, cluster, federated_foo, foo};

/// `member: action[ reason]` of every step.
fn told(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            let action = match &step.action {
                Action::Create(_) => "create",
                Action::Replace { adopts: true, .. } => "adopt",
                Action::Replace { .. } => "replace",
                Action::Apply { .. } => "apply",
                Action::Delete(_) => "delete",
                Action::RemoveManagedLabel => "unlabel",
                Action::Nothing => "nothing",
                Action::Record(_) => "record",
                Action::Wait => "wait",
                Action::Leave => "leave",
            };
            match step.reason {
                Some(reason) => format!("{}: {action} {reason}", step.member),
                None => format!("{}: {action}", step.member),
            }
        })
        .collect()
}

fn world() -> World {
    World::new(vec![
        cluster("hz-1", &[]),
        cluster("sh-1", &[]),
        cluster("sz-1", &[]),
    ])
}

fn placed(names: &[&str]) -> Value {
    json!({"clusters": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()})
}

fn spec(names: &[&str], text: &str) -> Value {
    json!({"template": {"spec": {"name": text}}, "placement": placed(names)})
}

#[test]
fn a_first_pass_creates_and_a_second_rests() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1", "sh-1"], "jack"));
    let plan = world.plan();
    assert_eq!(plan.finalizer, Finalizer::Add);
    assert_eq!(told(&plan), ["hz-1: create", "sh-1: create"]);
    world.settle();
    assert_eq!(told(&world.plan()), ["hz-1: nothing", "sh-1: nothing"]);
    assert_eq!(world.plan().finalizer, Finalizer::Keep);
}

#[test]
fn a_grey_release_moves_one_member_at_a_time() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1", "sh-1"], "jack"));
    world.settle();
    let untouched = world.held["sh-1"].clone();
    let mut next = spec(&["hz-1", "sh-1"], "joe");
    next["placementMask"] = placed(&["hz-1"]);
    world.change(next.clone());
    assert_eq!(told(&world.plan()), ["hz-1: replace", "sh-1: leave Masked"]);
    world.settle();
    assert_eq!(told(&world.plan()), ["hz-1: nothing", "sh-1: leave Masked"]);
    assert_eq!(world.held["sh-1"], untouched);
    // Its drift is not repaired either, and an outage changes nothing.
    world.edit("sh-1", |object| object["spec"]["name"] = json!("drift"));
    world.ready("sh-1", false);
    assert_eq!(told(&world.plan()), ["hz-1: nothing", "sh-1: leave Masked"]);
    world.ready("sh-1", true);
    assert_eq!(told(&world.plan()), ["hz-1: nothing", "sh-1: leave Masked"]);
    next.as_object_mut().unwrap().remove("placementMask");
    world.change(next);
    assert_eq!(told(&world.plan()), ["hz-1: nothing", "sh-1: replace"]);
    world.settle();
    assert_eq!(world.held["sh-1"]["spec"]["name"], "joe");
}

#[test]
fn what_left_the_placement_goes_only_if_the_mask_names_it() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1", "sh-1"], "jack"));
    world.settle();
    for (mask, expected) in [
        (None, "sh-1: delete"),
        (Some(placed(&["sh-1"])), "sh-1: delete"),
        (Some(placed(&["hz-1"])), "sh-1: leave Masked"),
        (Some(placed(&[])), "sh-1: leave Masked"),
    ] {
        let mut next = spec(&["hz-1"], "jack");
        if let Some(mask) = mask {
            next["placementMask"] = mask;
        }
        world.change(next);
        assert_eq!(told(&world.plan())[1], expected);
    }
    // Objects that are not managed are never deleted.
    world.change(spec(&["hz-1"], "jack"));
    world.edit("sh-1", |object| {
        object["metadata"]["labels"]
            .as_object_mut()
            .unwrap()
            .clear();
    });
    assert_eq!(told(&world.plan()), ["hz-1: nothing"]);
}

#[test]
fn drift_is_repaired_and_a_lost_record_costs_no_write() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1"], "jack"));
    world.settle();
    world.record = None;
    assert_eq!(told(&world.plan()), ["hz-1: record"]);
    world.settle();
    world.edit("hz-1", |object| object["spec"]["name"] = json!("drift"));
    assert_eq!(told(&world.plan()), ["hz-1: replace"]);
    world.settle();
    // An annotation is no change of generation, yet it is repaired.
    world.edit_metadata("hz-1", |metadata| {
        metadata["annotations"]["spec/left"] = json!("1")
    });
    assert_eq!(told(&world.plan()), ["hz-1: replace"]);
    world.settle();
    // What the member adds on its own is no drift.
    world.edit_metadata("hz-1", |metadata| metadata["labels"]["theirs"] = json!("1"));
    assert_eq!(told(&world.plan()), ["hz-1: nothing"]);
    world.edit("hz-1", |object| object["status"] = json!({"happy": true}));
    assert_eq!(told(&world.plan()), ["hz-1: record"]);
}

#[test]
fn members_that_cannot_be_written_wait() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1", "sh-1", "sz-1"], "jack"));
    world.ready("hz-1", false);
    world.unknown.insert("sh-1".into());
    assert_eq!(
        told(&world.plan()),
        [
            "hz-1: wait ClusterNotReady",
            "sh-1: wait CachedRetrievalFailed",
            "sz-1: create"
        ]
    );
    // Unselected and never written: nothing to tell. Recorded: it waits.
    world.change(spec(&["sz-1"], "jack"));
    assert_eq!(told(&world.plan()), ["sz-1: create"]);
    world.settle();
    world.change(spec(&[], "jack"));
    world.ready("sz-1", false);
    assert_eq!(told(&world.plan()), ["sz-1: wait ClusterNotReady"]);
}

#[test]
fn existing_objects_are_adopted_refused_or_respected() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1"], "jack"));
    let existing = |label: Value| {
        json!({
            "metadata": {"name": "foo-01", "namespace": "bank-prod", "uid": "u", "resourceVersion": "1", "generation": 1, "labels": label},
            "spec": {"name": "own"},
        })
    };
    world
        .held
        .insert("hz-1".into(), existing(json!({"own": "1"})));
    assert_eq!(told(&world.plan()), ["hz-1: adopt"]);
    world.adopt = false;
    assert_eq!(told(&world.plan()), ["hz-1: leave AlreadyExists"]);
    world.adopt = true;
    world.target.strategy = UpdateStrategy::CreateOnly;
    assert_eq!(told(&world.plan()), ["hz-1: leave AlreadyExists"]);
    world.target.strategy = UpdateStrategy::Update;
    world.held.insert(
        "hz-1".into(),
        existing(json!({"kubefed.io/managed": "false"})),
    );
    assert_eq!(told(&world.plan()), ["hz-1: leave ManagedLabelFalse"]);
    let mut dying = existing(json!({"kubefed.io/managed": "true"}));
    dying["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    world.held.insert("hz-1".into(), dying);
    assert_eq!(told(&world.plan()), ["hz-1: wait WaitingForRemoval"]);
}

#[test]
fn strategies_decide_how_an_update_is_made() {
    for (strategy, expected) in [
        (UpdateStrategy::Update, "hz-1: replace"),
        (UpdateStrategy::ServerSideApply, "hz-1: apply"),
        (UpdateStrategy::CreateOnly, "hz-1: nothing"),
    ] {
        let mut world = world();
        world.target.strategy = strategy;
        world.object = federated_foo(spec(&["hz-1"], "jack"));
        world.settle();
        world.change(spec(&["hz-1"], "joe"));
        assert_eq!(told(&world.plan()), [expected]);
    }
}

#[test]
fn an_override_of_one_member_touches_only_that_one() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1", "sh-1"], "jack"));
    world.settle();
    let mut next = spec(&["hz-1", "sh-1"], "jack");
    next["overrides"] = json!([{"clusterName": "sh-1", "clusterOverrides": [{"path": "/spec/name", "value": "joe"}]}]);
    world.change(next.clone());
    assert_eq!(told(&world.plan()), ["hz-1: nothing", "sh-1: replace"]);
    next["overrides"][0]["clusterOverrides"][0]["path"] = json!("/spec/none");
    world.change(next);
    assert_eq!(
        told(&world.plan()),
        ["hz-1: nothing", "sh-1: wait ApplyOverridesFailed"]
    );
}

#[test]
fn a_bad_selector_moves_nothing() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1"], "jack"));
    world.settle();
    let bad = json!({"clusterSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}});
    for field in ["placement", "placementMask"] {
        let mut next = spec(&["sh-1"], "jack");
        next[field] = bad.clone();
        world.change(next);
        let plan = world.plan();
        assert_eq!(plan.steps, []);
        assert_eq!(
            plan.problem.unwrap().reason,
            propagation::COMPUTE_PLACEMENT_FAILED
        );
    }
}

#[test]
fn the_namespace_decides_about_plain_clusters() {
    let mut world = world();
    world.members.push(cell("rz00a", "bank-prod", "hz-1", &[]));
    world.object = federated_foo(spec(&["hz-1", "rz00a.bank-prod"], "jack"));
    world.settle();
    world.rule = Some(NamespaceRule::NotFederated);
    let plan = world.plan();
    assert_eq!(told(&plan), ["hz-1: delete", "rz00a.bank-prod: nothing"]);
    assert_eq!(
        plan.problem.unwrap().reason,
        propagation::NAMESPACE_NOT_FEDERATED
    );
    world.rule = None;
    assert_eq!(
        told(&world.plan()),
        [
            "hz-1: wait CachedRetrievalFailed",
            "rz00a.bank-prod: nothing"
        ]
    );
    // An object of cells does not care.
    world.rule = Some(NamespaceRule::NotFederated);
    world.change(spec(&["rz00a.bank-prod"], "jack"));
    world.annotate(annotations::TOPOLOGY_TYPE, "cell");
    assert_eq!(world.plan().problem, None);
}

#[test]
fn nobody_reaches_into_another_tenancy_or_a_cells_namespace() {
    let mut world = world();
    world.members[1]
        .labels
        .insert("koinon.io/tenant".into(), "shop".into());
    let mut taken = cell("x", "other", "hz-1", &[("koinon.io/tenant", "shop")]);
    taken.cell.as_mut().unwrap().member_namespace = "bank-prod".into();
    world.members.push(taken);
    world.object = federated_foo(spec(&["hz-1", "sh-1", "x.other"], "jack"));
    assert_eq!(told(&world.plan()), ["hz-1: wait ComputeResourceFailed"]);
    // Whatever stands there is the cell's: it is not deleted for having left the placement.
    world.held.insert(
        "hz-1".into(),
        json!({"metadata": {"labels": {"kubefed.io/managed": "true"}}}),
    );
    world.held.insert(
        "sh-1".into(),
        json!({"metadata": {"labels": {"kubefed.io/managed": "true"}}}),
    );
    world.change(spec(&[], "jack"));
    assert_eq!(told(&world.plan()), [""; 0]);
    world.delete();
    assert_eq!(told(&world.plan()), [""; 0]);
}

#[test]
fn cluster_scoped_objects_have_no_place_in_cells() {
    let mut world = world();
    world.target.namespaced = false;
    world.members.push(cell("rz00a", "bank-prod", "hz-1", &[]));
    world.object = federated_foo(spec(&["hz-1", "rz00a.bank-prod"], "jack"));
    assert_eq!(
        told(&world.plan()),
        [
            "hz-1: create",
            "rz00a.bank-prod: wait ComputeResourceFailed"
        ]
    );
    // The cell sees the physical cluster's object; not being placed in the cell must not delete it.
    world.change(spec(&["hz-1"], "jack"));
    world.settle();
    let object = world.held["hz-1"].clone();
    world.held.insert("rz00a.bank-prod".into(), object);
    assert_eq!(told(&world.plan()), ["hz-1: nothing"]);
}

#[test]
fn a_cell_that_leaves_takes_its_objects_along() {
    let mut world = World::new(vec![
        cell("rz00a", "bank-prod", "hz-1", &[]),
        cell("rz01a", "bank-prod", "sh-1", &[]),
    ]);
    let mut both = spec(&["rz00a.bank-prod", "rz01a.bank-prod"], "jack");
    world.object = federated_foo(both.clone());
    world.settle();
    both["placementMask"] = placed(&[]);
    world.change(both);
    for (leaving, expected) in [
        (None, "rz00a.bank-prod: leave Masked"),
        (Some(Leaving::Delete), "rz00a.bank-prod: delete"),
        (Some(Leaving::Orphan), "rz00a.bank-prod: unlabel"),
    ] {
        world.members[0].cell.as_mut().unwrap().leaving = leaving;
        let plan = world.plan();
        assert_eq!(told(&plan), [expected, "rz01a.bank-prod: leave Masked"]);
        assert_eq!(plan.selected.len(), if leaving.is_none() { 2 } else { 1 });
    }
}

#[test]
fn deletion_reaches_everything_and_waits_for_it() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1", "sh-1"], "jack"));
    world.settle();
    let mut masked = spec(&["hz-1"], "jack");
    masked["placementMask"] = placed(&[]);
    world.change(masked);
    world.annotate(
        annotations::DELETE_OPTION,
        r#"{"propagationPolicy": "Orphan"}"#,
    );
    world.delete();
    let plan = world.plan();
    assert_eq!(
        (plan.flow, told(&plan)),
        (
            Flow::Delete,
            vec!["hz-1: delete".into(), "sh-1: delete".into()]
        )
    );
    let Action::Delete(options) = &plan.steps[0].action else {
        panic!("{plan:?}")
    };
    assert_eq!(options.propagation_policy.as_deref(), Some("Orphan"));
    assert!(options.preconditions.as_ref().unwrap().uid.is_some());
    assert_eq!(plan.events[0].reason, "WaitForRemovalInCluster");
    world.ready("sh-1", false);
    world.settle();
    assert_eq!(told(&world.plan()), ["sh-1: wait ClusterNotReady"]);
    assert_eq!(world.plan().finalizer, Finalizer::Keep);
    world.ready("sh-1", true);
    world.settle();
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    assert_eq!(
        plan.finalizer,
        Finalizer::Remove {
            verify: vec!["hz-1".into()]
        }
    );
    world.object.metadata.finalizers = None;
    assert_eq!(world.plan().finalizer, Finalizer::Keep);
}

#[test]
fn orphaning_leaves_objects_and_is_the_way_out_of_an_outage() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1", "sh-1"], "jack"));
    world.settle();
    world.annotate(annotations::ORPHAN, "true");
    world.ready("sh-1", false);
    world.delete();
    let plan = world.plan();
    assert_eq!(
        (plan.flow, told(&plan)),
        (Flow::Orphan, vec!["hz-1: unlabel".into()])
    );
    world.settle();
    assert_eq!(
        world.plan().finalizer,
        Finalizer::Remove {
            verify: vec!["hz-1".into()]
        }
    );
    assert!(is_gone(world.held.get("hz-1")) && !is_gone(world.held.get("sh-1")));
    // When the member is back, its object is released.
    world.ready("sh-1", true);
    let members: Vec<&Member> = world.members.iter().collect();
    let steps = release(&members, &world.observed());
    let steps: Vec<_> = steps
        .into_iter()
        .map(|step| (step.member, step.action))
        .collect();
    assert_eq!(steps, [("sh-1".to_owned(), Action::RemoveManagedLabel)]);
}

#[test]
fn an_unreadable_deleteoption_deletes_nothing() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1"], "jack"));
    world.settle();
    world.annotate(
        annotations::DELETE_OPTION,
        r#"{"propagationPolicy": "Oprhan"}"#,
    );
    world.delete();
    assert_eq!(told(&world.plan()), ["hz-1: wait DeletionFailed"]);
}

#[test]
fn the_hubs_own_namespace_is_never_deleted() {
    let mut world = world();
    world.target = Target {
        group: String::new(),
        kind: "Namespace".into(),
        namespaced: false,
        ..foo()
    };
    world.object = federated_foo(spec(&["hz-1", "sh-1"], "jack"));
    world.settle();
    world.hub_uid = world.held["hz-1"]
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .map(str::to_owned);
    world.change(spec(&[], "jack"));
    assert_eq!(told(&world.plan()), ["hz-1: unlabel", "sh-1: delete"]);
    world.delete();
    assert_eq!(told(&world.plan()), ["hz-1: unlabel", "sh-1: delete"]);
}

fn names() -> BoxedStrategy<Vec<String>> {
    prop::collection::btree_set(
        prop::sample::select(vec!["hz-1", "sh-1", "sz-1", "gone"]),
        0..4,
    )
    .prop_map(|names| names.into_iter().map(str::to_owned).collect())
    .boxed()
}

/// What happens to a world.
#[derive(Clone, Debug)]
enum Turn {
    Change {
        placed: Vec<String>,
        mask: Option<Vec<String>>,
        text: String,
    },
    Ready(usize, bool),
    Drift(usize),
    LoseRecord,
    Settle,
}

fn turn() -> BoxedStrategy<Turn> {
    prop_oneof![
        3 => (names(), prop::option::of(names()), "[ab]")
            .prop_map(|(placed, mask, text)| Turn::Change { placed, mask, text }),
        1 => (0..3usize, any::<bool>()).prop_map(|(member, ready)| Turn::Ready(member, ready)),
        1 => (0..3usize).prop_map(Turn::Drift),
        1 => Just(Turn::LoseRecord),
        3 => Just(Turn::Settle),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn nothing_outside_the_mask_is_ever_touched(turns in prop::collection::vec(turn(), 1..12)) {
        let mut world = world();
        world.object = federated_foo(spec(&["hz-1", "sh-1"], "a"));
        for turn in turns {
            match turn {
                Turn::Change { placed: names, mask, text } => {
                    let refs = |names: &[String]| placed(&names.iter().map(String::as_str).collect::<Vec<_>>());
                    let mut next = json!({"template": {"spec": {"name": text}}, "placement": refs(&names)});
                    if let Some(mask) = &mask {
                        next["placementMask"] = refs(mask);
                    }
                    world.change(next);
                }
                Turn::Ready(member, ready) => world.members[member].ready = ready,
                Turn::Drift(member) => {
                    let name = world.members[member].name.clone();
                    if world.held.contains_key(&name) {
                        world.edit(&name, |object| object["spec"]["name"] = json!("drift"));
                    }
                }
                Turn::LoseRecord => world.record = None,
                Turn::Settle => world.settle(),
            }
            let list = |placement: &Option<federation_api::federated::southbound::Placement>| {
                placement.as_ref().map(|placement| {
                    let all = placement.clusters.iter().flatten();
                    all.map(|one| one.name.clone()).collect::<Vec<_>>()
                })
            };
            let selected = list(&world.object.spec.placement).unwrap_or_default();
            let mask = list(&world.object.spec.placement_mask);
            let plan = world.plan();
            prop_assert!(plan.steps.is_sorted_by_key(|step| step.member.clone()));
            prop_assert_eq!(&plan, &world.plan());
            for step in &plan.steps {
                let unmasked = mask.as_ref().is_none_or(|mask| mask.contains(&step.member));
                let is_selected = selected.contains(&step.member);
                if step.action.is_write() {
                    prop_assert!(unmasked && is_selected, "{:?}", step);
                }
                if matches!(step.action, Action::Delete(_)) {
                    prop_assert!(unmasked && !is_selected, "{:?}", step);
                }
            }
        }
        // Whatever happened, it converges once members are back and the mask is gone.
        for member in &mut world.members {
            member.ready = true;
        }
        world.change(spec(&["hz-1", "sz-1"], "end"));
        world.settle();
        let rest = told(&world.plan());
        prop_assert_eq!(rest, ["hz-1: nothing", "sz-1: nothing"]);
        prop_assert_eq!(world.held.keys().cloned().collect::<Vec<_>>(), ["hz-1", "sz-1"]);
        prop_assert_eq!(&world.held["sz-1"]["spec"]["name"], "end");
    }
}

#[test]
fn a_takeover_from_kubefed_writes_nothing() {
    let mut world = world();
    let mut object = spec(&["hz-1"], "jack");
    object["template"]["metadata"] = json!({"labels": {"app": "x"}});
    world.object = federated_foo(object);
    world.settle();
    world.edit_metadata("hz-1", |metadata| {
        metadata.as_object_mut().unwrap().remove("annotations");
    });
    let record = world.record.as_mut().unwrap();
    record.cluster_versions[0].applied = None;
    let before = record.clone();
    let plan = world.plan();
    assert_eq!(told(&plan), ["hz-1: nothing"]);
    let done: BTreeMap<String, Done> = BTreeMap::new();
    let now = "2026-01-01T00:00:00Z"
        .parse::<jiff::Timestamp>()
        .unwrap()
        .into();
    let telling = Telling {
        remote_status: false,
        now,
    };
    let outcome = world.with_snapshot(|snapshot| finish(snapshot, &plan, &done, telling));
    assert_eq!(outcome.record, before);
    assert_eq!(outcome.status.counts.unwrap().updated, 1);
}

#[test]
fn an_object_without_finalizer_that_is_deleted_is_nobodys_business() {
    let mut world = world();
    world.object = federated_foo(spec(&["hz-1"], "jack"));
    world.delete();
    let plan = world.plan();
    assert_eq!((plan.steps, plan.finalizer), (vec![], Finalizer::Keep));
}
