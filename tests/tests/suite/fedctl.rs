//! fedctl, and the examples of the repository, as people use them.

use std::time::Duration;

use federation_tests::world::World;
use federation_tests::{eventually, within};
use serde_json::{Value, json};

use crate::foo::says;

pub(crate) fn masks_and_states(world: &World) {
    let workspace = world.workspace("typed");
    let hub = workspace.hub();
    let fedctl = |arguments: &[&str]| world.fedctl(&[arguments, &["-n", "typed"]].concat());
    hub.run(&[
        "create",
        "configmap",
        "settings",
        "--from-literal=color=blue",
    ]);
    fedctl(&[
        "federate",
        "configmap",
        "settings",
        "--cells",
        "rz01a,rz00a",
    ]);
    let color = |cell: &str| {
        let map = workspace.cell(cell).try_get("configmap", "settings")?;
        Ok::<_, String>(map["data"]["color"].as_str().unwrap_or_default().to_owned())
    };
    let has = |cell: &str, wanted: &str| {
        eventually(&format!("{cell} is {wanted}"), || match color(cell)? {
            found if found == wanted => Ok(()),
            other => Err(other),
        });
    };
    has("rz00a", "blue");
    has("rz01a", "blue");
    fedctl(&["mask", "set", "configmap", "settings", "rz00a"]);
    let red = json!({"spec": {"template": {"data": {"color": "red"}}}});
    hub.patch("federatedconfigmap", "settings", &red);
    has("rz00a", "red");
    eventually("fedctl status says what is masked", || {
        let text = fedctl(&["status", "configmap", "settings"]);
        let told = text.contains("(2 topologies, 1 updated, 1 masked, 0 failing; mask: [rz00a])")
            && text
                .lines()
                .any(|line| line.contains("rz01a") && line.contains("Masked"));
        if told { Ok(()) } else { Err(text) }
    });
    assert_eq!(color("rz01a").as_deref(), Ok("blue"));
    fedctl(&["mask", "clear", "configmap", "settings"]);
    has("rz01a", "red");
    let cells = fedctl(&["cell", "list"]);
    assert_eq!(cells.matches(" True").count(), 3, "{cells}");
    // What is placed in a cell holds it.
    let refused = world.try_fedctl(&["cell", "delete", "rz01a", "-n", "typed"]);
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(
        complaint.contains("objects are placed in it: federatedconfigmaps/settings"),
        "{complaint}"
    );
    hub.run(&["delete", "federatedconfigmap", "settings", "--timeout=30s"]);
    fedctl(&["cell", "delete", "rz01a"]);
    hub.run(&["wait", "--for=delete", "cell/rz01a", "--timeout=30s"]);
}

/// The manifests name the workspace group themselves.
pub(crate) fn every_example_arrives(world: &World) {
    let workspace = world.workspace("bank-prod");
    let hub = workspace.hub();
    hub.run(&["apply", "-f", "examples"]);
    let kinds: Vec<String> = hub
        .output(&[
            "api-resources",
            "--api-group=types.kubefed.io",
            "--namespaced",
            "-o",
            "name",
        ])
        .lines()
        .map(ToOwned::to_owned)
        .collect();
    let kinds = kinds.join(",");
    within(
        Duration::from_secs(60),
        "every example has arrived everywhere",
        || {
            let list = hub.attempt(&["get", &kinds, "-o", "json"])?;
            let list: Value = serde_json::from_str(&list).map_err(|error| error.to_string())?;
            let items = list["items"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let behind: Vec<&Value> = items
                .iter()
                .filter(|object| {
                    let counts = &object["status"]["counts"];
                    counts["updated"] != counts["topologies"] || counts["updated"].is_null()
                })
                .collect();
            match (items.len(), behind.as_slice()) {
                (9.., []) => Ok(()),
                (count, behind) => Err(format!("of {count}: {behind:?}")),
            }
        },
    );
    for (step, updated) in [
        ("1-mask-rz00a", 1),
        ("2-mask-rz00a-rz00b", 2),
        ("3-no-mask", 3),
    ] {
        hub.run(&["apply", "-f", &format!("examples/grey-release/{step}.yaml")]);
        says(hub, "federatedfoo", "foo-02", step, |object| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && object["status"]["counts"]["updated"] == updated
        });
    }
}
