//! What is brought back, what is different on purpose, and what is nobody's business.

use std::time::Duration;

use federation_tests::federated::{counted, entry, federated};
use federation_tests::stays;
use federation_tests::world::{CELLS, World};
use serde_json::{Value, json};

use crate::foo::{QUIET, looks_for, settled_foo, trace};

pub(crate) fn drift_is_repaired(world: &World) {
    let workspace = world.workspace("drift");
    settled_foo(&workspace, "drift", "joe");
    let cell = workspace.cell("rz01a");
    let before = trace(&workspace, "rz01a", "drift");
    cell.patch("foo", "drift", &json!({"spec": {"name": "mallory"}}));
    looks_for(&cell, "drift", "joe");
    assert_eq!(trace(&workspace, "rz01a", "drift").uid, before.uid);

    cell.run(&["delete", "foo", "drift"]);
    looks_for(&cell, "drift", "joe");
    assert_ne!(trace(&workspace, "rz01a", "drift").uid, before.uid);
    // What is not the template's business is nobody's drift.
    cell.run(&["annotate", "foo", "drift", "note=mine"]);
    let noted = trace(&workspace, "rz01a", "drift");
    stays(QUIET, "a Foo with an annotation", || {
        trace(&workspace, "rz01a", "drift").generation
    });
    assert_eq!(trace(&workspace, "rz01a", "drift").uid, noted.uid);
    assert_eq!(
        cell.get("foo", "drift")["metadata"]["annotations"]["note"],
        "mine"
    );
}

pub(crate) fn an_override_changes_one_cell(world: &World) {
    let workspace = world.workspace("overridden");
    let hub = workspace.hub();
    settled_foo(&workspace, "overridden", "joe");
    let before = trace(&workspace, "rz00a", "overridden");
    let overrides = json!([{"topologyName": "rz01a", "topologyOverrides": [
        {"op": "add", "path": "/metadata/labels", "value": {"site": "sh"}},
        {"path": "/spec/name", "value": "jane"},
    ]}]);
    let patch = json!({"spec": {"overrides": overrides}});
    hub.patch("federatedfoo", "overridden", &patch);
    looks_for(&workspace.cell("rz01a"), "overridden", "jane");
    let foo = workspace.cell("rz01a").get("foo", "overridden");
    let labels = &foo["metadata"]["labels"];
    assert_eq!(labels["site"], "sh", "{foo}");
    assert_eq!(labels["kubefed.io/managed"], "true", "{foo}");
    let object = counted(hub, "federatedfoo", "overridden", 3, 0);
    assert_ne!(
        entry(&object, "rz01a")["version"],
        entry(&object, "rz00a")["version"]
    );
    assert_eq!(trace(&workspace, "rz00a", "overridden"), before);

    let patch = json!({"spec": {"overrides": null}});
    hub.patch("federatedfoo", "overridden", &patch);
    looks_for(&workspace.cell("rz01a"), "overridden", "joe");
    assert_eq!(trace(&workspace, "rz00a", "overridden"), before);
}

/// Members default, prune and add to what is sent; none of it may look like drift, or member and controller write for ever.
pub(crate) fn what_is_settled_is_left_alone(world: &World) {
    let workspace = world.workspace("settled");
    let hub = workspace.hub();
    let container = json!({"name": "web", "image": "web", "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}});
    let deployment = json!({"spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}}});
    let service = json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let objects: [(&str, &str, Value); 3] = [
        (
            "FederatedConfigMap",
            "configmap",
            json!({"data": {"color": "blue"}}),
        ),
        ("FederatedDeployment", "deployment", deployment),
        ("FederatedService", "service", service),
    ];
    for (kind, _, template) in &objects {
        hub.apply(&federated(kind, "web", &CELLS, template.clone()));
    }
    for (kind, _, _) in &objects {
        counted(hub, kind, "web", 3, 0);
    }
    // The members' own controllers have their say first.
    std::thread::sleep(Duration::from_secs(4));
    let cell = workspace.cell("rz01a");
    for (kind, target, _) in &objects {
        stays(QUIET, &format!("a settled {target}"), || {
            cell.get(target, "web")
        });
        stays(QUIET, &format!("a settled {kind}"), || hub.get(kind, "web"));
    }
}
