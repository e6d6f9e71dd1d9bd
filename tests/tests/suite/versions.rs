//! One object, two faces: cells in `v1`, KubeFed's clusters in `v1beta1`; and what selectors mean in them.

use federation_tests::federated::{counted, federated_foo};
use federation_tests::world::{CELLS, World};
use federation_tests::{Kubectl, eventually};
use serde_json::{Value, json};

use crate::foo::{is_gone, looks_for, settled_foo, trace};

const V1: &str = "federatedfoos.v1.types.kubefed.io";
const V1BETA1: &str = "federatedfoos.v1beta1.types.kubefed.io";

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one["name"].as_str()).collect()
}

pub(crate) fn an_object_has_two_faces(world: &World) {
    let workspace = world.workspace("faces");
    let hub = workspace.hub();
    let mut object = federated_foo("two", &CELLS, "jack");
    object["spec"]["overrides"] = json!([{"topologyName": "rz01a",
        "topologyOverrides": [{"op": "replace", "path": "/spec/name", "value": "joe"}]}]);
    hub.apply(&object);
    counted(hub, "federatedfoo", "two", 3, 0);
    looks_for(&workspace.cell("rz00a"), "two", "jack");
    looks_for(&workspace.cell("rz01a"), "two", "joe");

    let (cells, clusters) = (hub.get(V1, "two"), hub.get(V1BETA1, "two"));
    assert_eq!(cells["apiVersion"], "types.kubefed.io/v1");
    assert_eq!(cells["spec"], object["spec"]);
    assert_eq!(names(&cells["status"]["topologies"]), CELLS);
    assert_eq!(clusters["apiVersion"], "types.kubefed.io/v1beta1");
    let derived = CELLS.map(|cell| format!("{cell}.faces"));
    assert_eq!(names(&clusters["spec"]["placement"]["clusters"]), derived);
    assert_eq!(names(&clusters["status"]["clusters"]), derived);
    assert_eq!(
        clusters["spec"]["overrides"][0]["clusterName"],
        "rz01a.faces"
    );
    assert_eq!(clusters["spec"]["template"], cells["spec"]["template"]);

    // Written as clusters, read as cells; written as cells, read as clusters.
    let two = json!([{"name": "rz00a.faces"}, {"name": "rz01a.faces"}]);
    let patch = json!({"spec": {"placement": {"clusters": two}, "placementMask": {"clusters": [{"name": "rz00a.faces"}]}}});
    hub.patch(V1BETA1, "two", &patch);
    let cells = hub.get(V1, "two");
    assert_eq!(
        names(&cells["spec"]["placement"]["topologies"]),
        ["rz00a", "rz01a"]
    );
    assert_eq!(
        names(&cells["spec"]["placementMask"]["topologies"]),
        ["rz00a"]
    );
    let patch = json!({"spec": {"placementMask": {"topologies": [{"name": "rz01a"}]}}});
    hub.patch(V1, "two", &patch);
    let clusters = hub.get(V1BETA1, "two");
    assert_eq!(
        names(&clusters["spec"]["placementMask"]["clusters"]),
        ["rz01a.faces"]
    );

    as_kubefeds_users_make_them(hub);
    for (version, column) in [(V1, "TOPOLOGIES"), (V1BETA1, "CLUSTERS")] {
        let table = hub.output(&["get", version]);
        assert!(
            table
                .lines()
                .next()
                .is_some_and(|head| head.contains(column)),
            "{table}"
        );
        assert_eq!(table.lines().count(), 3, "{table}");
    }
}

/// An object of `v1beta1` that names a whole cluster.
fn as_kubefeds_users_make_them(hub: &Kubectl) {
    let overrides = json!([{"clusterName": "hz-1", "clusterOverrides": [{"path": "/spec/name", "value": "joe"}]}]);
    hub.apply(&json!({
        "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedFoo", "metadata": {"name": "old"},
        "spec": {"placement": {"clusters": [{"name": "hz-1"}]}, "template": {"spec": {"name": "jack"}}, "overrides": overrides},
    }));
    let northbound = hub.get(V1, "old");
    assert_eq!(northbound["spec"]["topologyType"], "cluster");
    assert_eq!(
        names(&northbound["spec"]["placement"]["topologies"]),
        ["hz-1"]
    );
    assert_eq!(northbound["spec"]["overrides"][0]["topologyName"], "hz-1");
    assert_eq!(hub.get(V1BETA1, "old")["spec"]["overrides"], overrides);
}

pub(crate) fn selectors_choose_cells_and_clusters(world: &World) {
    let workspace = world.workspace("selected");
    let hub = workspace.hub();
    // A Foo of the same name in another namespace, whose cells carry the same labels: nobody else's business.
    let elsewhere = world.workspace("unselected");
    settled_foo(&elsewhere, "chosen", "joe");
    let bystanders = || CELLS.map(|cell| trace(&elsewhere, cell, "chosen"));
    let before = bystanders();

    let mut object = federated_foo("chosen", &[], "jack");
    object["spec"]["placement"] = json!({"topologySelector": {"matchLabels": {"region": "hz"}}});
    hub.apply(&object);
    let status = counted(hub, "federatedfoo", "chosen", 2, 0);
    assert_eq!(names(&status["status"]["topologies"]), ["rz00a", "rz00b"]);
    looks_for(&workspace.cell("rz00b"), "chosen", "jack");
    assert_eq!(bystanders(), before);
    // A cell that does not match any more is left.
    hub.run(&["label", "cell", "rz00b", "region=none", "--overwrite"]);
    is_gone(&workspace.cell("rz00b"), "foo", "chosen");
    counted(hub, "federatedfoo", "chosen", 1, 0);
    hub.run(&["delete", "federatedfoo", "chosen", "--timeout=30s"]);
    assert_eq!(bystanders(), before);

    // Among clusters, cells do not count.
    hub.apply(&json!({"apiVersion": "types.kubefed.io/v1", "kind": "FederatedNamespace", "metadata": {"name": "selected"},
        "spec": {"topologyType": "cluster", "template": {}, "placement": {"topologySelector": {"matchLabels": {"region": "sh"}}}}}));
    let everywhere =
        json!({"matchExpressions": [{"key": "region", "operator": "In", "values": ["hz", "sh"]}]});
    hub.apply(&json!({"apiVersion": "types.kubefed.io/v1", "kind": "FederatedFoo", "metadata": {"name": "whole"},
        "spec": {"topologyType": "cluster", "template": {"spec": {"name": "jim"}}, "placement": {"topologySelector": everywhere}}}));
    looks_for(&workspace.member("sh-1"), "whole", "jim");
    eventually(
        "only the cluster that has the namespace is selected",
        || {
            let object = hub.try_get("federatedfoo", "whole")?;
            match names(&object["status"]["topologies"]).as_slice() {
                ["sh-1"] => Ok(()),
                _ => Err(object.to_string()),
            }
        },
    );
    hub.run(&["delete", "federatedfoo", "whole", "--timeout=30s"]);
    hub.run(&["delete", "federatednamespace", "selected", "--timeout=60s"]);
}
