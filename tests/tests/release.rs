//! What a release may touch and what it must not: masks, drift, removal, deletion.

use std::sync::LazyLock;
use std::time::Duration;

use federation_tests::federated::{Trace, counted, entry, federated_foo, masked};
use federation_tests::{Kubectl, MemberServer, Playground, eventually, stays, within};
use serde_json::{Value, json};

/// One playground for all tests of this file; each has objects of its own.
static PLAYGROUND: LazyLock<Option<Playground>> = LazyLock::new(Playground::start);

const CELLS: [&str; 3] = ["rz00a", "rz00b", "rz01a"];
/// Long enough for a controller that should not act to be caught acting.
const QUIET: Duration = Duration::from_secs(2);

/// Makes a Foo and waits until all cells have it and the operator's word on it has come back, so that nobody has a reason to
/// write anything any more.
fn settled_foo(playground: &Playground, name: &str, friend: &str) {
    playground.hub().apply(&federated_foo(name, &CELLS, friend));
    has_settled(playground, name);
}

fn has_settled(playground: &Playground, name: &str) -> Value {
    eventually(&format!("{name} has settled"), || {
        let object = playground.hub().try_get("federatedfoo", name)?;
        let here = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let told = CELLS
            .iter()
            .all(|cell| entry(&object, cell)["remoteStatus"]["happy"].is_boolean());
        if here && told {
            Ok(object)
        } else {
            Err(object.to_string())
        }
    })
}

fn trace(playground: &Playground, cell: &str, name: &str) -> Trace {
    Trace::of(&playground.cell(cell).get("foo", name))
}

fn friend(member: &Kubectl, name: &str) -> Result<String, String> {
    let foo = member.try_get("foo", name)?;
    Ok(foo["spec"]["name"].as_str().unwrap_or_default().to_owned())
}

/// Waits until a member's Foo looks for that friend.
fn looks_for(member: &Kubectl, name: &str, wanted: &str) {
    eventually(&format!("{name} looks for {wanted}"), || {
        match friend(member, name)? {
            found if found == wanted => Ok(()),
            other => Err(format!("it looks for {other}")),
        }
    });
}

/// Waits until a FederatedFoo satisfies a condition.
fn says(hub: &Kubectl, name: &str, what: &str, condition: impl Fn(&Value) -> bool) {
    eventually(what, || {
        let object = hub.try_get("federatedfoo", name)?;
        if condition(&object) {
            Ok(())
        } else {
            Err(object.to_string())
        }
    });
}

/// Waits until a member has no such Foo.
fn is_gone(member: &Kubectl, name: &str) {
    eventually(&format!("{name} is gone"), || {
        match member.try_get("foo", name) {
            Err(complaint) if complaint.contains("NotFound") => Ok(()),
            Err(complaint) => Err(complaint),
            Ok(foo) => Err(foo.to_string()),
        }
    });
}

#[test]
fn a_release_goes_cell_by_cell() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let hub = playground.hub();
    settled_foo(playground, "grey", "joe");
    let old_version = entry(&hub.get("federatedfoo", "grey"), "rz00a")["version"].clone();
    let before: Vec<Trace> = CELLS
        .iter()
        .map(|cell| trace(playground, cell, "grey"))
        .collect();

    let new = federated_foo("grey", &CELLS, "jack");
    hub.apply(&masked(new.clone(), &["rz00a"]));
    let object = counted(&hub, "federatedfoo", "grey", 1, 2);
    looks_for(&playground.cell("rz00a"), "grey", "jack");
    let touched = trace(playground, "rz00a", "grey");
    assert_eq!(touched.uid, before[0].uid);
    assert_eq!(touched.generation, before[0].generation + 1);
    let new_version = entry(&object, "rz00a")["version"].clone();
    assert_ne!(new_version, old_version);
    for (cell, before) in CELLS.iter().zip(&before).skip(1) {
        assert_eq!(&trace(playground, cell, "grey"), before, "{cell}");
        assert_eq!(entry(&object, cell)["reason"], "Masked", "{object}");
        assert_eq!(entry(&object, cell)["version"], old_version, "{object}");
    }

    hub.apply(&masked(new.clone(), &["rz00a", "rz00b"]));
    let object = counted(&hub, "federatedfoo", "grey", 2, 1);
    assert_eq!(entry(&object, "rz00b")["version"], new_version);
    looks_for(&playground.cell("rz00b"), "grey", "jack");
    assert_eq!(
        trace(playground, "rz00a", "grey").generation,
        touched.generation
    );
    assert_eq!(&trace(playground, "rz01a", "grey"), &before[2]);

    hub.apply(&new);
    let object = counted(&hub, "federatedfoo", "grey", 3, 0);
    for (cell, before) in CELLS.iter().zip(&before) {
        looks_for(&playground.cell(cell), "grey", "jack");
        let now = trace(playground, cell, "grey");
        assert_eq!(now.uid, before.uid, "{cell}");
        assert_eq!(now.generation, before.generation + 1, "{cell}");
        assert_eq!(entry(&object, cell)["version"], new_version, "{object}");
    }
}

#[test]
fn an_empty_mask_freezes_even_the_repair_of_drift() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let (hub, cell) = (playground.hub(), playground.cell("rz00a"));
    settled_foo(playground, "frozen", "joe");
    hub.apply(&masked(federated_foo("frozen", &CELLS, "jack"), &[]));
    counted(&hub, "federatedfoo", "frozen", 0, 3);
    cell.patch("foo", "frozen", &json!({"spec": {"name": "drift"}}));
    playground.cell("rz00b").run(&["delete", "foo", "frozen"]);
    stays(QUIET, "a frozen Foo", || friend(&cell, "frozen"));
    assert_eq!(friend(&cell, "frozen").as_deref(), Ok("drift"));
    assert_eq!(
        friend(&playground.cell("rz01a"), "frozen").as_deref(),
        Ok("joe")
    );
    let complaint = playground
        .cell("rz00b")
        .complaint(&["get", "foo", "frozen"]);
    assert!(complaint.contains("NotFound"), "{complaint}");

    hub.patch(
        "federatedfoo",
        "frozen",
        &json!({"spec": {"placementMask": null}}),
    );
    for cell in CELLS {
        looks_for(&playground.cell(cell), "frozen", "jack");
    }
    counted(&hub, "federatedfoo", "frozen", 3, 0);
}

#[test]
fn drift_is_repaired() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    settled_foo(playground, "drift", "joe");
    let cell = playground.cell("rz01a");
    let before = trace(playground, "rz01a", "drift");
    cell.patch("foo", "drift", &json!({"spec": {"name": "mallory"}}));
    looks_for(&cell, "drift", "joe");
    assert_eq!(trace(playground, "rz01a", "drift").uid, before.uid);

    cell.run(&["delete", "foo", "drift"]);
    looks_for(&cell, "drift", "joe");
    assert_ne!(trace(playground, "rz01a", "drift").uid, before.uid);
    // What is not the template's business is nobody's drift.
    cell.run(&["annotate", "foo", "drift", "note=mine"]);
    let noted = trace(playground, "rz01a", "drift");
    stays(QUIET, "a Foo with an annotation", || {
        trace(playground, "rz01a", "drift").generation
    });
    assert_eq!(trace(playground, "rz01a", "drift").uid, noted.uid);
    assert_eq!(
        cell.get("foo", "drift")["metadata"]["annotations"]["note"],
        "mine"
    );
}

#[test]
fn an_override_changes_one_cell() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let hub = playground.hub();
    settled_foo(playground, "overridden", "joe");
    let before = trace(playground, "rz00a", "overridden");
    let overrides = json!([{"topologyName": "rz01a", "topologyOverrides": [
        {"op": "add", "path": "/metadata/labels", "value": {"site": "sh"}},
        {"path": "/spec/name", "value": "jane"},
    ]}]);
    hub.patch(
        "federatedfoo",
        "overridden",
        &json!({"spec": {"overrides": overrides}}),
    );
    looks_for(&playground.cell("rz01a"), "overridden", "jane");
    let foo = playground.cell("rz01a").get("foo", "overridden");
    assert_eq!(foo["metadata"]["labels"]["site"], "sh", "{foo}");
    assert_eq!(
        foo["metadata"]["labels"]["kubefed.io/managed"], "true",
        "{foo}"
    );
    let object = counted(&hub, "federatedfoo", "overridden", 3, 0);
    assert_ne!(
        entry(&object, "rz01a")["version"],
        entry(&object, "rz00a")["version"]
    );
    assert_eq!(trace(playground, "rz00a", "overridden"), before);

    hub.patch(
        "federatedfoo",
        "overridden",
        &json!({"spec": {"overrides": null}}),
    );
    looks_for(&playground.cell("rz01a"), "overridden", "joe");
    assert_eq!(trace(playground, "rz00a", "overridden"), before);
}

#[test]
fn what_leaves_the_placement_is_deleted_unless_the_mask_spares_it() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let hub = playground.hub();
    settled_foo(playground, "leaving", "joe");
    let before = trace(playground, "rz00a", "leaving");
    let smaller = federated_foo("leaving", &["rz00a", "rz00b"], "joe");
    hub.apply(&masked(smaller.clone(), &["rz00a"]));
    says(&hub, "leaving", "the controller has seen it", |object| {
        object["status"]["observedGeneration"] == object["metadata"]["generation"]
    });
    stays(QUIET, "a Foo that the mask does not name", || {
        trace(playground, "rz01a", "leaving")
    });
    hub.apply(&smaller);
    is_gone(&playground.cell("rz01a"), "leaving");
    assert_eq!(trace(playground, "rz00a", "leaving"), before);
    let object = counted(&hub, "federatedfoo", "leaving", 2, 0);
    assert_eq!(entry(&object, "rz01a"), &Value::Null);
}

#[test]
fn deletion_waits_for_finalizers_in_the_members() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let (hub, cell) = (playground.hub(), playground.cell("rz00b"));
    settled_foo(playground, "held", "joe");
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    cell.patch("foo", "held", &hold);
    hub.run(&["delete", "federatedfoo", "held", "--wait=false"]);
    is_gone(&playground.cell("rz00a"), "held");
    is_gone(&playground.cell("rz01a"), "held");
    eventually("the held Foo is being deleted", || {
        let foo = cell.try_get("foo", "held")?;
        let asked = foo["metadata"]["deletionTimestamp"].is_string();
        if asked { Ok(()) } else { Err(foo.to_string()) }
    });
    stays(QUIET, "the federated object waits", || {
        Trace::of(&hub.get("federatedfoo", "held")).uid
    });
    cell.patch("foo", "held", &json!({"metadata": {"finalizers": null}}));
    is_gone(&cell, "held");
    hub.run(&["wait", "--for=delete", "federatedfoo/held", "--timeout=20s"]);
}

#[test]
fn a_deleted_namespace_takes_everything_along() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let hub = playground.hub().namespace("doomed");
    hub.apply(
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "doomed", "labels": {
        "koinon.io/tenant": "bank", "koinon.io/workspace-group": "bank-prod"}}}),
    );
    hub.apply(
        &json!({"apiVersion": "koinon.io/v1alpha1", "kind": "Cell", "metadata": {"name": "rz09"},
        "spec": {"clusterRef": {"name": "sh-1"}}}),
    );
    hub.run(&[
        "wait",
        "--for=condition=Ready",
        "cell/rz09",
        "--timeout=20s",
    ]);
    hub.apply(&federated_foo("last", &["rz09"], "joe"));
    let member = playground.member("sh-1").namespace("doomed-rz09");
    looks_for(&member, "last", "joe");
    hub.run(&["delete", "namespace", "doomed", "--timeout=30s"]);
    is_gone(&member, "last");
    let complaint = hub.complaint(&[
        "get",
        "kubefedcluster",
        "rz09.doomed",
        "-n",
        "kube-federation-system",
    ]);
    assert!(complaint.contains("NotFound"), "{complaint}");
}

#[test]
fn a_stopped_member_blocks_nobody_and_comes_back_as_it_was() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let hub = playground.hub();
    let mut server = MemberServer::start(playground);
    joined(playground, &server);
    let cells = ["rz00a", "rz03a"];
    hub.apply(&federated_foo("outage", &cells, "joe"));
    let object = counted(&hub, "federatedfoo", "outage", 2, 0);
    let old_version = entry(&object, "rz03a")["version"].clone();
    let member = server.kubectl().namespace("bank-prod-rz03a");
    let before = Trace::of(&member.get("foo", "outage"));

    server.kill_9();
    hub.apply(&federated_foo("outage", &cells, "jim"));
    within(
        Duration::from_secs(5),
        "the other cell is released",
        || match friend(&playground.cell("rz00a"), "outage")?.as_str() {
            "jim" => Ok(()),
            other => Err(other.to_owned()),
        },
    );
    says(
        &hub,
        "outage",
        "the status names the member that is away",
        |object| {
            entry(object, "rz03a")["reason"].is_string()
                && object["status"]["counts"]["failing"] == 1
        },
    );

    hub.apply(&masked(federated_foo("outage", &cells, "jack"), &["rz00a"]));
    looks_for(&playground.cell("rz00a"), "outage", "jack");
    server.restart();
    says(
        &hub,
        "outage",
        "the member that is back is masked",
        |object| {
            let entry = entry(object, "rz03a");
            entry["reason"] == "Masked" && entry["version"] == old_version
        },
    );
    stays(QUIET, "a Foo that the mask does not name", || {
        Trace::of(&member.get("foo", "outage"))
    });
    assert_eq!(Trace::of(&member.get("foo", "outage")), before);

    hub.apply(&federated_foo("outage", &cells, "jack"));
    looks_for(&member, "outage", "jack");
    assert_eq!(Trace::of(&member.get("foo", "outage")).uid, before.uid);
    hub.run(&["delete", "federatedfoo", "outage", "--timeout=20s"]);
    unjoined(playground, &server);
}

fn fedctl(playground: &Playground, arguments: &[&str]) {
    let output = playground.fedctl(arguments);
    assert!(output.status.success(), "fedctl {arguments:?}: {output:?}");
}

/// Joins a member as `nb-1`, with the cell `rz03a`.
fn joined(playground: &Playground, server: &MemberServer) {
    let file = server.kubeconfig().display().to_string();
    let labels = "koinon.io/tenant=bank,koinon.io/workspace-group=bank-prod";
    let join = [
        "join",
        "nb-1",
        "--cluster-kubeconfig",
        &file,
        "--labels",
        labels,
    ];
    fedctl(playground, &join);
    let cell = [
        "cell",
        "create",
        "rz03a",
        "--cluster",
        "nb-1",
        "-n",
        "bank-prod",
    ];
    fedctl(playground, &cell);
    let hub = playground.hub();
    hub.run(&[
        "wait",
        "--for=condition=Ready",
        "cell/rz03a",
        "--timeout=20s",
    ]);
}

/// Undoes [`joined`].
fn unjoined(playground: &Playground, server: &MemberServer) {
    let file = server.kubeconfig().display().to_string();
    let hub = playground.hub();
    fedctl(playground, &["cell", "delete", "rz03a", "-n", "bank-prod"]);
    hub.run(&["wait", "--for=delete", "cell/rz03a", "--timeout=20s"]);
    fedctl(
        playground,
        &["unjoin", "nb-1", "--cluster-kubeconfig", &file],
    );
    let hub = hub.namespace("kube-federation-system");
    let complaint = hub.complaint(&["get", "kubefedcluster", "nb-1"]);
    assert!(complaint.contains("NotFound"), "{complaint}");
}
