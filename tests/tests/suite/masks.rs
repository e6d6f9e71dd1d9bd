//! What a masked release may touch and what it must not.

use federation_tests::federated::{Trace, counted, entry, federated_foo, masked};
use federation_tests::stays;
use federation_tests::world::{CELLS, World};
use serde_json::json;

use crate::foo::{QUIET, friend, looks_for, settled_foo, trace};

pub(crate) fn a_release_goes_cell_by_cell(world: &World) {
    let workspace = world.workspace("grey");
    let hub = workspace.hub();
    settled_foo(&workspace, "grey", "joe");
    let old_version = entry(&hub.get("federatedfoo", "grey"), "rz00a")["version"].clone();
    let before: Vec<Trace> = CELLS
        .iter()
        .map(|cell| trace(&workspace, cell, "grey"))
        .collect();

    let new = federated_foo("grey", &CELLS, "jack");
    hub.apply(&masked(new.clone(), &["rz00a"]));
    let object = counted(hub, "federatedfoo", "grey", 1, 2);
    looks_for(&workspace.cell("rz00a"), "grey", "jack");
    let touched = trace(&workspace, "rz00a", "grey");
    assert_eq!(touched.uid, before[0].uid);
    assert_eq!(touched.generation, before[0].generation + 1);
    let new_version = entry(&object, "rz00a")["version"].clone();
    assert_ne!(new_version, old_version);
    for (cell, before) in CELLS.iter().zip(&before).skip(1) {
        assert_eq!(&trace(&workspace, cell, "grey"), before, "{cell}");
        assert_eq!(entry(&object, cell)["reason"], "Masked", "{object}");
        assert_eq!(entry(&object, cell)["version"], old_version, "{object}");
    }

    hub.apply(&masked(new.clone(), &["rz00a", "rz00b"]));
    let object = counted(hub, "federatedfoo", "grey", 2, 1);
    assert_eq!(entry(&object, "rz00b")["version"], new_version);
    looks_for(&workspace.cell("rz00b"), "grey", "jack");
    assert_eq!(
        trace(&workspace, "rz00a", "grey").generation,
        touched.generation
    );
    assert_eq!(&trace(&workspace, "rz01a", "grey"), &before[2]);

    hub.apply(&new);
    let object = counted(hub, "federatedfoo", "grey", 3, 0);
    for (cell, before) in CELLS.iter().zip(&before) {
        looks_for(&workspace.cell(cell), "grey", "jack");
        let now = trace(&workspace, cell, "grey");
        assert_eq!(now.uid, before.uid, "{cell}");
        assert_eq!(now.generation, before.generation + 1, "{cell}");
        assert_eq!(entry(&object, cell)["version"], new_version, "{object}");
    }
}

pub(crate) fn an_empty_mask_freezes_even_the_repair_of_drift(world: &World) {
    let workspace = world.workspace("frozen");
    let (hub, cell) = (workspace.hub(), workspace.cell("rz00a"));
    settled_foo(&workspace, "frozen", "joe");
    hub.apply(&masked(federated_foo("frozen", &CELLS, "jack"), &[]));
    counted(hub, "federatedfoo", "frozen", 0, 3);
    cell.patch("foo", "frozen", &json!({"spec": {"name": "drift"}}));
    workspace.cell("rz00b").run(&["delete", "foo", "frozen"]);
    stays(QUIET, "a frozen Foo", || friend(&cell, "frozen"));
    assert_eq!(friend(&cell, "frozen").as_deref(), Ok("drift"));
    assert_eq!(
        friend(&workspace.cell("rz01a"), "frozen").as_deref(),
        Ok("joe")
    );
    let complaint = workspace.cell("rz00b").complaint(&["get", "foo", "frozen"]);
    assert!(complaint.contains("NotFound"), "{complaint}");

    let unmasked = json!({"spec": {"placementMask": null}});
    hub.patch("federatedfoo", "frozen", &unmasked);
    for cell in CELLS {
        looks_for(&workspace.cell(cell), "frozen", "jack");
    }
    counted(hub, "federatedfoo", "frozen", 3, 0);
}
