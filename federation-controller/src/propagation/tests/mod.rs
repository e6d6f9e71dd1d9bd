//! Propagation as a whole, from the hub's objects to the exact writes in members.

mod custody;
mod reach;

use serde_json::json;

use crate::testing::{FEDERATED_FOOS, FOOS, Mood, RECORDS, World, cells};

const ALL: [&str; 3] = ["rz00a", "rz00b", "rz01a"];

/// A world in which `foo-01` (jack) is in all cells, at rest.
async fn world() -> World {
    propagated(World::new()).await
}

/// Starts a world, puts `foo-01` (jack) into all cells and waits until it is at rest. Writes from before `foo-01` are forgotten.
async fn propagated(mut world: World) -> World {
    world.start();
    world.settle(5).await;
    world.forget_writes();
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "jack"}}, "placement": cells(&ALL)}),
    );
    world.settle(5).await;
    world
}

#[tokio::test(start_paused = true)]
async fn an_object_reaches_its_cells_and_nothing_is_written_twice() {
    let world = world().await;
    for (cluster, namespace) in [
        (&world.hz, "bank-rz00a"),
        (&world.hz, "bank-rz00b"),
        (&world.sh, "bank-rz01a"),
    ] {
        let foo = cluster.get(FOOS, namespace, "foo-01");
        assert_eq!(foo["spec"]["name"], "jack");
        assert_eq!(foo["metadata"]["labels"]["kubefed.io/managed"], "true");
    }
    assert_eq!(world.condition("foo-01"), "True -");
    assert_eq!(
        world.status("foo-01"),
        ["rz00a.bank=-", "rz00b.bank=-", "rz01a.bank=-"]
    );
    let record = world.hub.get(RECORDS, "bank", "foo-foo-01");
    assert_eq!(record["status"]["clusterVersions"][0]["version"], "gen:1");
    assert_eq!(
        record["metadata"]["ownerReferences"][0]["kind"],
        "FederatedFoo"
    );
    let mut writes = world.member_writes();
    writes.retain(|line| line.contains("foos"));
    assert_eq!(
        writes,
        [
            "hz-1: POST foos bank-rz00a/foo-01",
            "hz-1: POST foos bank-rz00b/foo-01",
            "sh-1: POST foos bank-rz01a/foo-01"
        ]
    );
    world.forget_writes();
    world.settle(1500).await;
    assert_eq!(world.member_writes(), Vec::<String>::new());
    let hub: Vec<String> = world
        .hub
        .take_writes()
        .into_iter()
        .filter(|line| !line.contains("kubefedclusters/status"))
        .collect();
    assert_eq!(hub, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_grey_release_touches_only_what_the_mask_names() {
    let world = world().await;
    world.forget_writes();
    let spec = |mask: serde_json::Value| json!({"template": {"spec": {"name": "joe"}}, "placement": cells(&ALL), "placementMask": mask});
    world.apply("foo-01", spec(cells(&["rz00a"])));
    world.settle(5).await;
    assert_eq!(world.member_writes(), ["hz-1: PUT foos bank-rz00a/foo-01"]);
    assert_eq!(
        world.status("foo-01"),
        ["rz00a.bank=-", "rz00b.bank=Masked", "rz01a.bank=Masked"]
    );
    // Drift in a masked-out cell stays; in the masked-in one it is repaired.
    world.sh.touch(FOOS, "bank-rz01a", "foo-01", |foo| {
        foo["spec"]["name"] = json!("drift")
    });
    world.hz.touch(FOOS, "bank-rz00a", "foo-01", |foo| {
        foo["spec"]["name"] = json!("drift")
    });
    world.settle(5).await;
    assert_eq!(world.member_writes(), ["hz-1: PUT foos bank-rz00a/foo-01"]);
    assert_eq!(
        world.sh.get(FOOS, "bank-rz01a", "foo-01")["spec"]["name"],
        "drift"
    );
    world.apply("foo-01", spec(cells(&["rz00a", "rz00b"])));
    world.settle(5).await;
    assert_eq!(world.member_writes(), ["hz-1: PUT foos bank-rz00b/foo-01"]);
    world.apply("foo-01", spec(json!(null)));
    world.settle(5).await;
    assert_eq!(world.member_writes(), ["sh-1: PUT foos bank-rz01a/foo-01"]);
    assert_eq!(
        world.status("foo-01"),
        ["rz00a.bank=-", "rz00b.bank=-", "rz01a.bank=-"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_member_holds_up_nobody_and_is_compared_when_it_comes_back() {
    let world = world().await;
    world.sh.set_mood(Mood::Hanging);
    world.settle(60).await;
    assert_eq!(world.status("foo-01")[2], "rz01a.bank=ClusterNotReady");
    world.forget_writes();
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "joe"}}, "placement": cells(&ALL)}),
    );
    world.settle(5).await;
    assert_eq!(
        world.member_writes(),
        [
            "hz-1: PUT foos bank-rz00a/foo-01",
            "hz-1: PUT foos bank-rz00b/foo-01"
        ]
    );
    assert_eq!(world.condition("foo-01"), "False CheckClusters");
    world.sh.set_mood(Mood::Up);
    world.settle(30).await;
    assert_eq!(world.member_writes(), ["sh-1: PUT foos bank-rz01a/foo-01"]);
    assert_eq!(world.condition("foo-01"), "True -");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_comes_back_under_a_mask_that_lacks_it_is_not_changed() {
    let world = world().await;
    world.sh.set_mood(Mood::Down);
    world.settle(60).await;
    world.forget_writes();
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "joe"}}, "placement": cells(&ALL), "placementMask": cells(&["rz00a", "rz00b"])}),
    );
    world.settle(5).await;
    world.sh.set_mood(Mood::Up);
    world.settle(60).await;
    assert_eq!(
        world.member_writes(),
        [
            "hz-1: PUT foos bank-rz00a/foo-01",
            "hz-1: PUT foos bank-rz00b/foo-01"
        ]
    );
    assert_eq!(world.status("foo-01")[2], "rz01a.bank=Masked");
}

async fn restart_without_a_write(mut world: World) {
    world.stop().await;
    world.forget_writes();
    world.start();
    world.settle(30).await;
    assert_eq!(world.member_writes(), Vec::<String>::new());
    assert_eq!(world.hub.take_writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_restart_writes_nothing() {
    restart_without_a_write(world().await).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_under_a_mask_writes_nothing() {
    let world = world().await;
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "joe"}}, "placement": cells(&ALL), "placementMask": cells(&["rz00a"])}),
    );
    world.settle(5).await;
    restart_without_a_write(world).await;
}

#[tokio::test(start_paused = true)]
async fn member_status_comes_back_without_member_writes() {
    let world = world().await;
    world.forget_writes();
    world.sh.touch(FOOS, "bank-rz01a", "foo-01", |foo| {
        foo["status"] = json!({"happy": true})
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let object = world.hub.get(FEDERATED_FOOS, "bank", "foo-01");
    assert_eq!(
        object["status"]["clusters"][2]["remoteStatus"]["happy"],
        true
    );
    assert_eq!(world.member_writes(), Vec::<String>::new());
    assert_eq!(
        world.hub.take_writes(),
        ["PATCH federatedfoos/status bank/foo-01"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_that_was_decided_on_an_old_object_does_not_stick() {
    let world = world().await;
    let said = world.hub.get(FEDERATED_FOOS, "bank", "foo-01")["status"].clone();
    world.forget_writes();
    // As the watch shows it when an edit kept our write of a status from being taken in: the last decision found the status as
    // it was before that write, and wrote nothing.
    world.hub.touch(FEDERATED_FOOS, "bank", "foo-01", |foo| {
        foo["status"]["clusters"][2]["remoteStatus"] = json!({"happy": "stale"});
    });
    world.settle(5).await;
    let now = world.hub.get(FEDERATED_FOOS, "bank", "foo-01")["status"].clone();
    assert_eq!(now, said);
    assert_eq!(
        world.hub.take_writes(),
        ["PATCH federatedfoos/status bank/foo-01"]
    );
    assert_eq!(world.member_writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn leaving_the_placement_deletes_and_deletion_waits_for_members() {
    let world = world().await;
    world.forget_writes();
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "jack"}}, "placement": cells(&["rz00a", "rz00b"])}),
    );
    world.settle(5).await;
    assert_eq!(
        world.member_writes(),
        ["sh-1: DELETE foos bank-rz01a/foo-01"]
    );
    world.hub.touch(FEDERATED_FOOS, "bank", "foo-01", |foo| {
        foo["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    world.settle(20).await;
    assert_eq!(
        world.member_writes(),
        [
            "hz-1: DELETE foos bank-rz00a/foo-01",
            "hz-1: DELETE foos bank-rz00b/foo-01"
        ]
    );
    assert!(world.hub.get(FEDERATED_FOOS, "bank", "foo-01").is_null());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_one_member_lacks_is_that_members_state() {
    let mut world = World::new();
    world.sh.set_missing(FOOS, true);
    world.start();
    world.settle(5).await;
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "jack"}}, "placement": cells(&ALL)}),
    );
    world.settle(5).await;
    let status = world.status("foo-01");
    assert_eq!(status[..2], ["rz00a.bank=-", "rz00b.bank=-"]);
    assert_ne!(status[2], "rz01a.bank=-");
    world.sh.set_missing(FOOS, false);
    world.settle(60).await;
    assert_eq!(world.status("foo-01")[2], "rz01a.bank=-");
}

#[tokio::test(start_paused = true)]
async fn managed_objects_without_an_owner_lose_their_label_and_stay() {
    let mut world = World::new();
    let foo = json!({
        "metadata": {"name": "left", "namespace": "bank-rz00a", "labels": {"kubefed.io/managed": "true"}}, "spec": {},
    });
    world.hz.seed(FOOS, foo);
    world.start();
    world.settle(10).await;
    let left = world.hz.get(FOOS, "bank-rz00a", "left");
    assert!(
        left["metadata"]["labels"]
            .get("kubefed.io/managed")
            .is_none()
    );
    assert!(!left["spec"].is_null());
}
