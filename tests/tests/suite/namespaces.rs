//! Namespaces that end, with everything in them.

use std::time::Duration;

use federation_tests::federated::federated_foo;
use federation_tests::within;
use federation_tests::world::{CELLS, World};
use serde_json::json;

use crate::foo::{is_gone, looks_for, settled_foo};

pub(crate) fn a_deleted_namespace_takes_everything_along(world: &World) {
    let workspace = world.workspace("doomed");
    let hub = workspace.hub();
    settled_foo(&workspace, "last", "joe");
    hub.apply(&federated_foo("other", &["rz01a"], "joe"));
    looks_for(&workspace.cell("rz01a"), "other", "joe");
    hub.run(&["delete", "namespace", "doomed", "--timeout=60s"]);
    for cell in CELLS {
        is_gone(&workspace.cell(cell), "foo", "last");
        let derived = format!("{cell}.doomed");
        let system = hub.namespace("kube-federation-system");
        is_gone(&system, "kubefedcluster", &derived);
    }
    is_gone(&workspace.cell("rz01a"), "foo", "other");
}

pub(crate) fn a_federated_namespace_really_ends(world: &World) {
    let workspace = world.workspace("everywhere");
    let hub = workspace.hub();
    let placed = |clusters: &[&str]| {
        let clusters: Vec<_> = clusters.iter().map(|name| json!({"name": name})).collect();
        json!({"clusters": clusters})
    };
    let namespace = |clusters: &[&str]| {
        json!({"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace",
            "metadata": {"name": "everywhere"}, "spec": {"template": {}, "placement": placed(clusters)}})
    };
    hub.apply(&namespace(&["hz-1", "sh-1"]));
    hub.apply(
        &json!({"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap",
        "metadata": {"name": "settings"},
        "spec": {"template": {"data": {"color": "blue"}}, "placement": placed(&["hz-1", "sh-1"])}}),
    );
    let members = ["hz-1", "sh-1"].map(|name| workspace.member(name));
    for member in &members {
        within(
            Duration::from_secs(30),
            "the ConfigMap is there",
            || match member.try_get("configmap", "settings")?["data"]["color"].as_str() {
                Some("blue") => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
    }
    // Out of one cluster: there the namespace goes with everything in it; the other stays.
    hub.apply(&namespace(&["hz-1"]));
    is_gone(&members[1], "namespace", "everywhere");
    assert_eq!(
        members[0].get("namespace", "everywhere")["status"]["phase"],
        "Active"
    );
    members[0].run(&["get", "configmap", "settings"]);
    // Back again: a new namespace, and its content follows.
    hub.apply(&namespace(&["hz-1", "sh-1"]));
    within(Duration::from_secs(60), "the ConfigMap is back", || {
        members[1].try_get("configmap", "settings").map(|_| ())
    });
    hub.run(&[
        "delete",
        "federatednamespace",
        "everywhere",
        "--timeout=60s",
    ]);
    for member in &members {
        is_gone(member, "namespace", "everywhere");
    }
}
