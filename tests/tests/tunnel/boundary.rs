//! A member that the hub cannot dial: what works nevertheless, and what becomes of it when the agent, the link or the hub goes.

use std::time::Duration;

use federation_tests::federated::{counted, entry, federated, federated_foo, masked};
use federation_tests::network::MEMBER_ADDRESS;
use federation_tests::{eventually, within};
use serde_json::{Value, json};

use crate::world::{Boundary, CELLS, CLUSTER, SYSTEM};

/// A killed agent's connections end at once; then its place is kept for a second.
const AGENT_MISSED: Duration = Duration::from_secs(10);
/// Nobody says that a link is down: a question every 10 s that may take 10 s to be answered.
const LINK_MISSED: Duration = Duration::from_secs(35);

#[test]
fn a_member_that_the_hub_cannot_dial_is_one_like_any_other() {
    let Some(mut world) = Boundary::start() else {
        return;
    };
    the_hub_cannot_dial_the_member(&world);
    objects_go_to_the_cells_and_their_status_comes_back(&world);
    a_mask_holds_a_cell_back(&world);
    kubectl_works_in_its_cells(&world);
    the_agent_is_killed_and_started(&mut world);
    the_link_goes_and_comes(&world);
    the_hub_is_killed_and_started(&mut world);
    the_hub_tells_of_it(&world);
}

fn the_hub_cannot_dial_the_member(world: &Boundary) {
    let server = format!("--server=https://{MEMBER_ADDRESS}:{}", world.plane.port());
    let asked = [
        &server,
        "--tls-server-name=127.0.0.1",
        "--request-timeout=4s",
        "get",
        "--raw",
        "/version",
    ];
    let there = world.plane.kubectl().output(&asked);
    assert!(there.contains("gitVersion"), "{there}");
    let complaint = world.member_from_the_hub().complaint(&asked);
    let words = ["timeout", "deadline exceeded"];
    let never_answered = words
        .iter()
        .any(|word| complaint.to_lowercase().contains(word));
    assert!(never_answered, "{complaint}");
}

fn value_in(world: &Boundary, cell: &str) -> Result<Value, String> {
    let map = world.in_cell(cell).try_get("configmap", "settings")?;
    Ok(map["data"]["a"].clone())
}

/// Waits until the cell's ConfigMap has a value.
fn arrives(world: &Boundary, cell: &str, wanted: &str) {
    let what = format!("{cell} has {wanted}");
    within(Duration::from_secs(60), &what, || {
        match value_in(world, cell)? {
            Value::String(value) if value == wanted => Ok(()),
            other => Err(format!("{other}\n{}", world.hub.log())),
        }
    });
}

fn arrives_everywhere(world: &Boundary, wanted: &str) {
    for cell in CELLS {
        arrives(world, cell, wanted);
    }
}

fn settings(value: &str) -> Value {
    federated(
        "FederatedConfigMap",
        "settings",
        &CELLS,
        json!({"data": {"a": value}}),
    )
}

fn objects_go_to_the_cells_and_their_status_comes_back(world: &Boundary) {
    let hub = world.on_hub();
    hub.apply(&settings("1"));
    hub.apply(&federated_foo("foo-01", &CELLS, "jack"));
    counted(&hub, "federatedconfigmap", "settings", 2, 0);
    arrives_everywhere(world, "1");
    eventually("the operator's word comes back from both cells", || {
        let foo = hub.try_get("federatedfoo", "foo-01")?;
        let told = |cell: &&str| entry(&foo, cell)["remoteStatus"]["happy"] == false;
        match CELLS.iter().all(told) {
            true => Ok(()),
            false => Err(foo["status"].to_string()),
        }
    });
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "jack"},
        "spec": {"containers": [{"name": "main", "image": "none"}]}});
    world.in_cell(CELLS[0]).apply(&pod);
    eventually("one Foo has found its friend", || {
        let foo = hub.try_get("federatedfoo", "foo-01")?;
        let happy = CELLS.map(|cell| entry(&foo, cell)["remoteStatus"]["happy"].clone());
        match happy == [true, false] {
            true => Ok(()),
            false => Err(foo["status"].to_string()),
        }
    });
}

fn a_mask_holds_a_cell_back(world: &Boundary) {
    let hub = world.on_hub();
    hub.apply(&masked(settings("2"), &CELLS[..1]));
    let object = counted(&hub, "federatedconfigmap", "settings", 1, 1);
    assert_eq!(entry(&object, CELLS[1])["reason"], "Masked");
    arrives(world, CELLS[0], "2");
    assert_eq!(value_in(world, CELLS[1]).unwrap(), "1");
    hub.apply(&settings("2"));
    arrives(world, CELLS[1], "2");
}

fn kubectl_works_in_its_cells(world: &Boundary) {
    let (contexts, cell) = (&world.contexts, CELLS[0]);
    assert!(contexts.works(CLUSTER, &["get", "nodes"]).contains("n1"));
    assert!(contexts.works(cell, &["get", "pods"]).contains("web"));
    let elsewhere = contexts.refused(cell, &["get", "pods", "-n", "kube-system"]);
    assert!(
        elsewhere.to_lowercase().contains("forbidden"),
        "{elsewhere}"
    );
    contexts.watches_and_logs_stream(cell);
    for websockets in ["true", "false"] {
        contexts.commands_run(cell, websockets);
        contexts.files_are_copied(cell, websockets, &world.kubelet.container());
        // What is forwarded to is the member's own API server: TLS over the forwarded port is checked byte by byte.
        let (_forward, port) = contexts.forward(cell, websockets, world.plane.port());
        let server = format!("--server=https://127.0.0.1:{port}");
        let asked = [&server, "get", "--raw", "/openapi/v2"];
        let answer = world.member_from_the_hub().output(&asked);
        assert!(answer.len() > 1_000_000, "{} bytes", answer.len());
    }
    contexts.something_is_attached_to(cell);
}

fn the_agent_is_killed_and_started(world: &mut Boundary) {
    world.kill_agent();
    world.is_missed(AGENT_MISSED, "its agent was killed");
    let complaint = world.contexts.refused(CELLS[0], &["get", "pods"]);
    assert!(complaint.contains("agent"), "{complaint}");
    world.on_hub().apply(&settings("3"));
    world.start_agent();
    world.becomes_ready("its agent was started again");
    arrives_everywhere(world, "3");
}

fn the_link_goes_and_comes(world: &Boundary) {
    world.network.cut();
    world.is_missed(LINK_MISSED, "the link went down");
    world.on_hub().apply(&settings("4"));
    world.network.raise();
    world.becomes_ready("the link came up");
    arrives_everywhere(world, "4");
    let pods = || {
        let output = world.contexts.output(CELLS[0], &["get", "pods"], b"");
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    eventually("kubectl gets through again", pods);
}

fn the_hub_is_killed_and_started(world: &mut Boundary) {
    world.hub.kill_9();
    world.hub.restart();
    world.on_hub().apply(&settings("5"));
    arrives_everywhere(world, "5");
    world.becomes_ready("the hub was killed and started");
    let pods = world.contexts.works(CELLS[0], &["get", "pods"]);
    assert!(pods.contains("web"));
}

fn the_hub_tells_of_it(world: &Boundary) {
    let events = world.hub.kubectl().namespace(SYSTEM);
    let list = ["get", "events", "-o", "jsonpath={.items[*].reason}"];
    let reasons = events.output(&list);
    for reason in ["TunnelDown", "TunnelUp"] {
        assert!(reasons.contains(reason), "{reason}: {reasons}");
    }
}
