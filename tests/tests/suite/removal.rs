//! What is taken away, what waits for others, and what stays.

use federation_tests::federated::{Trace, counted, entry, federated_foo, masked};
use federation_tests::world::{CELLS, World};
use federation_tests::{eventually, stays};
use serde_json::{Value, json};

use crate::foo::{QUIET, is_gone, says, settled_foo, trace};

pub(crate) fn what_leaves_the_placement_is_deleted_unless_the_mask_spares_it(world: &World) {
    let workspace = world.workspace("leaving");
    let hub = workspace.hub();
    settled_foo(&workspace, "leaving", "joe");
    let before = trace(&workspace, "rz00a", "leaving");
    let smaller = federated_foo("leaving", &["rz00a", "rz00b"], "joe");
    hub.apply(&masked(smaller.clone(), &["rz00a"]));
    says(
        hub,
        "federatedfoo",
        "leaving",
        "the controller has seen it",
        |object| object["status"]["observedGeneration"] == object["metadata"]["generation"],
    );
    stays(QUIET, "a Foo that the mask does not name", || {
        trace(&workspace, "rz01a", "leaving")
    });
    hub.apply(&smaller);
    is_gone(&workspace.cell("rz01a"), "foo", "leaving");
    assert_eq!(trace(&workspace, "rz00a", "leaving"), before);
    let object = counted(hub, "federatedfoo", "leaving", 2, 0);
    assert_eq!(entry(&object, "rz01a"), &Value::Null);
}

pub(crate) fn deletion_waits_for_finalizers_in_the_members(world: &World) {
    let workspace = world.workspace("held");
    let (hub, cell) = (workspace.hub(), workspace.cell("rz00b"));
    settled_foo(&workspace, "held", "joe");
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    cell.patch("foo", "held", &hold);
    hub.run(&["delete", "federatedfoo", "held", "--wait=false"]);
    is_gone(&workspace.cell("rz00a"), "foo", "held");
    is_gone(&workspace.cell("rz01a"), "foo", "held");
    eventually("the held Foo is being deleted", || {
        let foo = cell.try_get("foo", "held")?;
        let asked = foo["metadata"]["deletionTimestamp"].is_string();
        if asked { Ok(()) } else { Err(foo.to_string()) }
    });
    stays(QUIET, "the federated object waits", || {
        Trace::of(&hub.get("federatedfoo", "held")).uid
    });
    cell.patch("foo", "held", &json!({"metadata": {"finalizers": null}}));
    is_gone(&cell, "foo", "held");
    hub.run(&["wait", "--for=delete", "federatedfoo/held", "--timeout=20s"]);
}

pub(crate) fn orphans_stay(world: &World) {
    let workspace = world.workspace("orphans");
    let hub = workspace.hub();
    settled_foo(&workspace, "kept", "joe");
    let uids = CELLS.map(|cell| trace(&workspace, cell, "kept").uid);
    hub.run(&["annotate", "federatedfoo", "kept", "kubefed.io/orphan=true"]);
    hub.run(&["delete", "federatedfoo", "kept", "--timeout=20s"]);
    for (cell, uid) in CELLS.iter().zip(uids) {
        let member = workspace.cell(cell);
        says(&member, "foo", "kept", "it is nobody's any more", |foo| {
            foo["metadata"]["labels"]["kubefed.io/managed"].is_null()
        });
        assert_eq!(trace(&workspace, cell, "kept").uid, uid, "{cell}");
    }
    // And is taken on again as it is.
    settled_foo(&workspace, "kept", "jack");
    says(
        &workspace.cell("rz00a"),
        "foo",
        "kept",
        "it is managed again",
        |foo| {
            foo["metadata"]["labels"]["kubefed.io/managed"] == "true"
                && foo["spec"]["name"] == "jack"
        },
    );
}
