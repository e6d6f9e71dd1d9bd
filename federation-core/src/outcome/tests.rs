//! What is told and remembered, on examples.

use std::collections::BTreeMap;

use federation_api::federated::PropagationCondition;
use serde_json::{Value, json};

use super::*;
use crate::testing::{World, cluster, federated_foo, time};

fn world() -> World {
    let mut world = World::new(vec![cluster("hz-1", &[]), cluster("sh-1", &[])]);
    world.object = federated_foo(spec("jack"));
    world
}

fn spec(text: &str) -> Value {
    json!({"template": {"spec": {"name": text}}, "placement": {"clusterSelector": {}}})
}

fn status(world: &World) -> &Status {
    world.object.status.as_ref().unwrap()
}

fn condition(world: &World) -> &PropagationCondition {
    &status(world).conditions.as_ref().unwrap()[0]
}

fn failed(reason: MemberReason) -> Done {
    Err(Failure {
        reason,
        message: "no".into(),
    })
}

fn outcome(world: &World, done: &BTreeMap<String, Done>) -> Outcome {
    let plan = world.plan();
    let telling = Telling {
        remote_status: true,
        now: world.now,
    };
    world.with_snapshot(|snapshot| finish(snapshot, &plan, done, telling))
}

#[test]
fn a_good_pass_is_true_and_a_second_one_tells_nothing_new() {
    let mut world = world();
    world.settle();
    assert_eq!(
        (condition(&world).status.as_str(), &condition(&world).reason),
        ("True", &None)
    );
    assert_eq!(
        status(&world).counts,
        Some(Counts {
            topologies: 2,
            updated: 2,
            masked: 0,
            failing: 0
        })
    );
    let entries = status(&world).clusters.as_ref().unwrap();
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.name.as_str())
            .collect::<Vec<_>>(),
        ["hz-1", "sh-1"]
    );
    assert_eq!((entries[0].generation, entries[0].reason), (Some(1), None));
    assert_eq!(entries[0].version.as_ref().map(String::len), Some(8));
    let (told, record) = (world.object.status.clone(), world.record.clone());
    world.now = time("2026-01-02T00:00:00Z");
    world.settle();
    assert_eq!((&world.object.status, &world.record), (&told, &record));
}

#[test]
fn the_members_whole_status_comes_back() {
    let mut world = world();
    world.settle();
    world.now = time("2026-01-02T00:00:00Z");
    world.edit("hz-1", |object| object["status"] = json!({"happy": true}));
    world.settle();
    let entries = status(&world).clusters.as_ref().unwrap();
    assert_eq!(entries[0].remote_status, Some(json!({"happy": true})));
    assert_eq!(condition(&world).last_update_time, Some(world.now));
    assert_eq!(
        condition(&world).last_transition_time,
        Some(time("2026-01-01T00:00:00Z"))
    );
    // What was last seen of a member that is away still stands.
    world.ready("hz-1", false);
    world.settle();
    let entry = &status(&world).clusters.as_ref().unwrap()[0];
    assert_eq!(entry.remote_status, Some(json!({"happy": true})));
    assert_eq!(
        (entry.status, entry.reason),
        (
            Some(MemberReason::ClusterNotReady),
            Some(MemberReason::ClusterNotReady)
        )
    );
    assert_eq!(condition(&world).reason.as_deref(), Some("CheckClusters"));
    assert_eq!(condition(&world).last_transition_time, Some(world.now));
    assert_eq!(
        condition(&world).message.as_deref(),
        Some("hz-1: ClusterNotReady")
    );
}

#[test]
fn masked_members_keep_their_version_through_changes() {
    let mut world = world();
    world.settle();
    let old = status(&world).clusters.as_ref().unwrap()[1].version.clone();
    let mut next = spec("joe");
    next["placementMask"] = json!({"clusters": [{"name": "hz-1"}]});
    world.change(next.clone());
    world.settle();
    next["template"]["spec"]["name"] = json!("jim");
    world.change(next.clone());
    world.settle();
    let entry = &status(&world).clusters.as_ref().unwrap()[1];
    assert_eq!(
        (entry.status, entry.reason),
        (None, Some(MemberReason::Masked))
    );
    assert_eq!(entry.version, old);
    assert_eq!(
        status(&world).counts,
        Some(Counts {
            topologies: 2,
            updated: 1,
            masked: 1,
            failing: 0
        })
    );
    assert_eq!(condition(&world).status, "True");
    let record = world.record.as_ref().unwrap();
    let names = |all: &[federation_api::kinds::ClusterObjectVersion]| {
        all.iter()
            .map(|entry| entry.cluster_name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (
            names(&record.cluster_versions),
            names(&record.held_versions)
        ),
        (vec!["hz-1".into()], vec!["sh-1".into()])
    );
    // Back to the first template: the held member runs it already.
    let mut back = spec("jack");
    back["placementMask"] = json!({"clusters": []});
    world.change(back);
    world.settle();
    assert_eq!(status(&world).counts.unwrap().updated, 1);
    assert_eq!(
        names(&world.record.as_ref().unwrap().cluster_versions),
        ["sh-1"]
    );
}

#[test]
fn failures_are_told_and_retried_as_kubefed_does() {
    let mut world = world();
    for (reason, requeue) in [
        (MemberReason::CreationFailed, Requeue::Backoff),
        (MemberReason::AlreadyExists, Requeue::Never),
    ] {
        let created = Ok(Some(json!({"metadata": {"generation": 1}})));
        let done = BTreeMap::from([
            ("hz-1".to_owned(), failed(reason)),
            ("sh-1".to_owned(), created),
        ]);
        let outcome = outcome(&world, &done);
        let entries = outcome.status.clusters.unwrap();
        assert_eq!(
            (entries[0].reason, entries[0].message.as_deref()),
            (Some(reason), Some("no"))
        );
        assert_eq!(entries[1].reason, None);
        assert_eq!(outcome.requeue, requeue);
        assert_eq!(outcome.record.cluster_versions.len(), 1);
    }
    // No answer at all.
    let outcome = outcome(&world, &BTreeMap::new());
    assert_eq!(
        outcome.status.clusters.unwrap()[0].reason,
        Some(MemberReason::CreationTimedOut)
    );
    assert_eq!(outcome.requeue, Requeue::Backoff);
    // What failed does not count as updated.
    world.settle();
    world.change(spec("joe"));
    let done = BTreeMap::from([("hz-1".to_owned(), failed(MemberReason::UpdateFailed))]);
    let plan = world.plan();
    world.conclude(&plan, &done);
    assert_eq!(
        status(&world).counts,
        Some(Counts {
            topologies: 2,
            updated: 0,
            masked: 0,
            failing: 2
        })
    );
    assert_eq!(world.record.as_ref().unwrap().held_versions.len(), 2);
}

#[test]
fn what_is_on_its_way_out_is_told_until_it_is_gone() {
    let mut world = world();
    world.settle();
    world.change(json!({"template": {}, "placement": {"clusters": [{"name": "hz-1"}]}}));
    let plan = world.plan();
    let mut done = world.perform(&plan);
    done.insert(
        "sh-1".into(),
        Ok(Some(json!({"metadata": {"deletionTimestamp": "x"}}))),
    );
    world.conclude(&plan, &done);
    assert_eq!(
        status(&world).clusters.as_ref().unwrap()[1].reason,
        Some(MemberReason::WaitingForRemoval)
    );
    assert_eq!(condition(&world).reason.as_deref(), Some("CheckClusters"));
    assert_eq!(world.record.as_ref().unwrap().held_versions.len(), 1);
    world.settle();
    assert_eq!(status(&world).clusters.as_ref().unwrap().len(), 1);
    assert_eq!(world.record.as_ref().unwrap().held_versions, []);
    assert_eq!(condition(&world).status, "True");
}

#[test]
fn a_bad_placement_keeps_what_is_known() {
    let mut world = world();
    world.settle();
    let (entries, record) = (status(&world).clusters.clone(), world.record.clone());
    let mut bad = spec("joe");
    bad["placement"]["clusterSelector"]["matchLabels"] = json!({"a b": ""});
    world.change(bad);
    world.settle();
    assert_eq!(
        (&status(&world).clusters, &world.record),
        (&entries, &record)
    );
    assert_eq!(
        condition(&world).reason.as_deref(),
        Some("ComputePlacementFailed")
    );
    assert_eq!(
        status(&world).observed_generation,
        world.object.metadata.generation
    );
}

#[test]
fn annotations_that_are_not_sent_are_told() {
    let mut world = world();
    let mut annotated = spec("jack");
    annotated["template"]["metadata"] = json!({"annotations": {"other": "1", "spec/a": "2"}});
    world.change(annotated);
    world.settle();
    assert_eq!(condition(&world).status, "True");
    assert_eq!(
        condition(&world).message.as_deref(),
        Some("annotations that are not propagated: other")
    );
}
