//! A member that is away.

use std::time::Duration;

use federation_tests::federated::{Trace, counted, entry, federated_foo, masked};
use federation_tests::world::World;
use federation_tests::{stays, within};

use crate::foo::{QUIET, friend, looks_for, says};

pub(crate) fn a_stopped_member_blocks_nobody_and_comes_back_as_it_was(world: &World) {
    let workspace = world.workspace("outage");
    let hub = workspace.hub();
    let cells = ["rz00a", "rz01a"];
    hub.apply(&federated_foo("outage", &cells, "joe"));
    let object = counted(hub, "federatedfoo", "outage", 2, 0);
    let old_version = entry(&object, "rz01a")["version"].clone();
    let (here, away) = (workspace.cell("rz00a"), workspace.cell("rz01a"));
    says(
        hub,
        "federatedfoo",
        "outage",
        "the operator has spoken",
        |object| entry(object, "rz01a")["remoteStatus"]["happy"].is_boolean(),
    );
    let before = Trace::of(&away.get("foo", "outage"));

    world.member("sh-1").kill_9();
    hub.apply(&federated_foo("outage", &cells, "jim"));
    let released = "the other cell is released";
    within(Duration::from_secs(5), released, || {
        match friend(&here, "outage")?.as_str() {
            "jim" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let named = "the status names the member that is away";
    says(hub, "federatedfoo", "outage", named, |object| {
        entry(object, "rz01a")["reason"].is_string() && object["status"]["counts"]["failing"] == 1
    });

    hub.apply(&masked(federated_foo("outage", &cells, "jack"), &["rz00a"]));
    looks_for(&here, "outage", "jack");
    world.member("sh-1").restart();
    let masked = "the member that is back is masked";
    says(hub, "federatedfoo", "outage", masked, |object| {
        let entry = entry(object, "rz01a");
        entry["reason"] == "Masked" && entry["version"] == old_version
    });
    stays(QUIET, "a Foo that the mask does not name", || {
        Trace::of(&away.get("foo", "outage"))
    });
    assert_eq!(Trace::of(&away.get("foo", "outage")), before);

    hub.apply(&federated_foo("outage", &cells, "jack"));
    looks_for(&away, "outage", "jack");
    assert_eq!(Trace::of(&away.get("foo", "outage")).uid, before.uid);
    hub.run(&["delete", "federatedfoo", "outage", "--timeout=20s"]);
}
