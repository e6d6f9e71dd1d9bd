//! Whose the member objects are: taken over, left behind, and let go with their cell.

use serde_json::json;

use super::{ALL, propagated, world};
use crate::testing::{CELLS, FEDERATED_FOOS, FOOS, World, cells};

const MANAGED: &str = "kubefed.io/managed";

/// A world in which somebody in the member of `rz00a` made a `foo-01` before anything was federated.
async fn occupied(adopt: bool) -> World {
    let mut world = World::new();
    world.adopt = adopt;
    world.hz.seed(
        FOOS,
        json!({"apiVersion": "tutorial.my.domain/v1", "kind": "Foo",
            "metadata": {"name": "foo-01", "namespace": "bank-rz00a", "labels": {"mine": "yes"}},
            "spec": {"name": "mine"}}),
    );
    propagated(world).await
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_there_already_is_taken_over() {
    let world = occupied(true).await;
    let foo = world.hz.get(FOOS, "bank-rz00a", "foo-01");
    assert_eq!(foo["spec"]["name"], "jack");
    assert_eq!(foo["metadata"]["labels"][MANAGED], "true");
    assert_eq!(foo["metadata"]["labels"]["mine"], "yes", "its labels stay");
    assert_eq!(world.status("foo-01")[0], "rz00a.bank=-");
}

#[tokio::test(start_paused = true)]
async fn without_adoption_it_stays_as_it_is_and_the_status_says_so() {
    let world = occupied(false).await;
    let foo = world.hz.get(FOOS, "bank-rz00a", "foo-01");
    assert_eq!(foo["spec"]["name"], "mine");
    assert_eq!(foo["metadata"]["labels"], json!({"mine": "yes"}));
    assert_eq!(
        world.status("foo-01"),
        ["rz00a.bank=AlreadyExists", "rz00b.bank=-", "rz01a.bank=-"]
    );
    // What it made itself it goes on with.
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "joe"}}, "placement": cells(&ALL)}),
    );
    world.settle(5).await;
    assert_eq!(
        world.hz.get(FOOS, "bank-rz00b", "foo-01")["spec"]["name"],
        "joe"
    );
    // It is not deleted either.
    world.hub.touch(FEDERATED_FOOS, "bank", "foo-01", |foo| {
        foo["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    world.settle(20).await;
    assert!(world.hub.get(FEDERATED_FOOS, "bank", "foo-01").is_null());
    assert_eq!(world.hz.get(FOOS, "bank-rz00a", "foo-01"), foo);
    assert!(world.hz.get(FOOS, "bank-rz00b", "foo-01").is_null());
}

#[tokio::test(start_paused = true)]
async fn orphaned_objects_outlive_their_federated_object() {
    let world = world().await;
    world.forget_writes();
    world.hub.touch(FEDERATED_FOOS, "bank", "foo-01", |foo| {
        foo["metadata"]["annotations"]["kubefed.io/orphan"] = json!("true");
        foo["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    world.settle(20).await;
    assert!(world.hub.get(FEDERATED_FOOS, "bank", "foo-01").is_null());
    let writes = world.member_writes();
    assert!(
        writes.iter().all(|line| !line.contains("DELETE")),
        "{writes:?}"
    );
    for (member, namespace) in [
        (&world.hz, "bank-rz00a"),
        (&world.hz, "bank-rz00b"),
        (&world.sh, "bank-rz01a"),
    ] {
        let foo = member.get(FOOS, namespace, "foo-01");
        assert_eq!(foo["spec"]["name"], "jack");
        assert!(foo["metadata"]["labels"][MANAGED].is_null(), "{foo}");
    }
}

/// Asks for the deletion of `rz00b`.
async fn delete_cell(world: &World, policy: Option<&str>) {
    world.hub.touch(CELLS, "bank", "rz00b", |cell| {
        if let Some(policy) = policy {
            cell["metadata"]["annotations"] = json!({"koinon.io/cell-deletion-policy": policy});
        }
        cell["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    world.settle(20).await;
}

#[tokio::test(start_paused = true)]
async fn a_cell_in_use_waits_until_somebody_says_what_becomes_of_its_objects() {
    let world = world().await;
    world.forget_writes();
    delete_cell(&world, None).await;
    let cell = world.hub.get(CELLS, "bank", "rz00b");
    let condition = &cell["status"]["conditions"][0];
    assert_eq!(condition["reason"], "StillInUse");
    let message = condition["message"].as_str().unwrap();
    assert!(
        message.contains("koinon.io/cell-deletion-policy"),
        "{message}"
    );
    assert_eq!(world.member_writes(), Vec::<String>::new());
    delete_cell(&world, Some("Orphan")).await;
    assert!(world.hub.get(CELLS, "bank", "rz00b").is_null());
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_goes_leaves_its_objects_or_takes_them_along() {
    for policy in ["Orphan", "Delete"] {
        let world = world().await;
        delete_cell(&world, Some(policy)).await;
        assert!(world.hub.get(CELLS, "bank", "rz00b").is_null(), "{policy}");
        let foo = world.hz.get(FOOS, "bank-rz00b", "foo-01");
        if policy == "Orphan" {
            assert_eq!(foo["spec"]["name"], "jack");
            assert!(foo["metadata"]["labels"][MANAGED].is_null(), "{foo}");
        } else {
            assert!(foo.is_null(), "{foo}");
        }
        let other = world.hz.get(FOOS, "bank-rz00a", "foo-01");
        assert_eq!(other["metadata"]["labels"][MANAGED], "true", "{policy}");
    }
}
