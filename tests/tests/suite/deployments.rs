//! A Deployment that the member's own controller acts on: it writes status and an annotation, makes ReplicaSets and Pods, and nobody
//! takes any of it away.

use std::time::Duration;

use federation_tests::federated::{counted, entry, federated, masked};
use federation_tests::world::{CELLS, MemberKind, World};
use federation_tests::{Kubectl, eventually, stays};
use serde_json::{Value, json};

fn web(image: &str) -> Value {
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    });
    federated("FederatedDeployment", "web", &CELLS, template)
}

pub(crate) fn nobody_fights_over_a_deployment(world: &World) {
    let workspace = world.workspace("deployed");
    let hub = workspace.hub();
    hub.apply(&web("web:1"));
    counted(hub, "federateddeployment", "web", 3, 0);
    let cell = workspace.cell("rz00a");
    let image = |cell: &Kubectl| {
        let deployment = cell.get("deployment", "web");
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image(&cell), "web:1");
    let upstream = world.column.members == MemberKind::Upstream;
    if upstream {
        has_pods(&cell, "web:1", 2);
        // Its controller's word comes back to the hub.
        eventually("the hub knows what the deployment controller says", || {
            let object = hub.try_get("federateddeployment", "web")?;
            let status = &entry(&object, "rz00a")["remoteStatus"];
            match status["unavailableReplicas"] == 2 && status["observedGeneration"] == 1 {
                true => Ok(()),
                false => Err(object.to_string()),
            }
        });
        let deployment = cell.get("deployment", "web");
        assert_eq!(revision(&deployment), "1", "{deployment}");
    }
    stays(Duration::from_secs(3), "a settled Deployment", || {
        cell.get("deployment", "web")["metadata"]["resourceVersion"].clone()
    });

    hub.apply(&masked(web("web:2"), &["rz00a"]));
    counted(hub, "federateddeployment", "web", 1, 2);
    assert_eq!(image(&cell), "web:2");
    assert_eq!(image(&workspace.cell("rz00b")), "web:1");
    if upstream {
        has_pods(&cell, "web:2", 1);
        let deployment = cell.get("deployment", "web");
        assert_eq!(revision(&deployment), "2", "{deployment}");
        let sets = cell.output(&["get", "replicasets", "-l", "app=web", "-o", "name"]);
        assert_eq!(sets.lines().count(), 2, "the old one stays: {sets}");
    }
    hub.run(&["delete", "federateddeployment", "web", "--timeout=30s"]);
    for cell in CELLS.map(|cell| workspace.cell(cell)) {
        let complaint = cell.complaint(&["get", "deployment", "web"]);
        assert!(complaint.contains("NotFound"), "{complaint}");
        // Deleted with its dependents, which the member's garbage collector sees to.
        eventually("no Pod is left", || {
            match cell.output(&["get", "pods,replicasets", "-o", "name"]) {
                none if none.is_empty() => Ok(()),
                some => Err(some),
            }
        });
    }
}

fn revision(deployment: &Value) -> &Value {
    &deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
}

/// Waits until so many Pods run an image, or would if there were a node.
fn has_pods(cell: &Kubectl, image: &str, count: usize) {
    eventually(&format!("{count} Pods of {image}"), || {
        let list = cell.attempt(&[
            "get",
            "pods",
            "-l",
            "app=web",
            "-o",
            r#"jsonpath={range .items[*]}{.spec.containers[0].image} {.status.phase}{"\n"}{end}"#,
        ])?;
        let wanted = format!("{image} Pending");
        match list.lines().filter(|line| *line == wanted).count() {
            found if found == count => Ok(()),
            _ => Err(list),
        }
    });
}
