//! Which members an object reaches: by selector, and never beyond its tenant.

use serde_json::{Value, json};

use super::ALL;
use crate::testing::{CELLS, CLUSTERS, FEDERATED_FOOS, FOOS, World, cells};

fn labelled(world: &World, kind: &str, namespace: &str, name: &str, labels: Value) {
    world.hub.touch(kind, namespace, name, |object| {
        object["metadata"]["labels"] = labels;
    });
}

/// The cells that hold `foo-01`.
fn holders(world: &World) -> Vec<&'static str> {
    let holds = |cell: &&str| {
        let member = if *cell == "rz01a" {
            &world.sh
        } else {
            &world.hz
        };
        !member
            .get(FOOS, &format!("bank-{cell}"), "foo-01")
            .is_null()
    };
    ALL.into_iter().filter(holds).collect()
}

#[tokio::test(start_paused = true)]
async fn a_selector_of_cells_follows_their_labels() {
    let mut world = World::new();
    for (cell, region) in [("rz00a", "hz"), ("rz00b", "hz"), ("rz01a", "sh")] {
        labelled(&world, CELLS, "bank", cell, json!({"region": region}));
    }
    world.start();
    world.settle(5).await;
    let selector = json!({"matchLabels": {"region": "hz", "koinon.io/cell-namespace": "bank"}});
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "jack"}}, "placement": {"clusterSelector": selector}}),
    );
    world.settle(5).await;
    assert_eq!(holders(&world), ["rz00a", "rz00b"]);
    labelled(&world, CELLS, "bank", "rz01a", json!({"region": "hz"}));
    labelled(&world, CELLS, "bank", "rz00b", json!({"region": "sh"}));
    world.settle(5).await;
    assert_eq!(holders(&world), ["rz00a", "rz01a"]);
    // An empty list is a list: it wins over the selector.
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "jack"}}, "placement": {"clusters": [], "clusterSelector": selector}}),
    );
    world.settle(5).await;
    assert!(holders(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_selector_of_clusters_never_picks_cells() {
    let mut world = World::new();
    for cell in ALL {
        labelled(&world, CELLS, "bank", cell, json!({"region": "hz"}));
    }
    labelled(&world, CLUSTERS, "fed", "hz-1", json!({"region": "hz"}));
    world.start();
    world.settle(5).await;
    let object = |placement: Value| {
        json!({
            "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedFoo",
            "metadata": {"name": "foo-01", "namespace": "bank"},
            "spec": {"template": {"spec": {"name": "jack"}}, "placement": placement},
        })
    };
    let selector = json!({"clusterSelector": {"matchLabels": {"region": "hz"}}});
    world.hub.seed(FEDERATED_FOOS, object(selector));
    world.settle(5).await;
    let selected = world.status("foo-01");
    assert!(
        matches!(&selected[..], [one] if one.starts_with("hz-1=")),
        "{selected:?}"
    );
    assert!(holders(&world).is_empty());
    // A cell's cluster that is named is meant.
    world.apply(
        "foo-01",
        json!({"template": {"spec": {"name": "jack"}}, "placement": cells(&["rz00b"])}),
    );
    world.settle(5).await;
    assert_eq!(holders(&world), ["rz00b"]);
}

#[tokio::test(start_paused = true)]
async fn a_tenants_object_reaches_nothing_of_another_tenant() {
    let mut world = World::new();
    for tenant in ["bank", "shop"] {
        world.hub.seed(
            "/namespaces",
            json!({"metadata": {"name": tenant, "labels": {"koinon.io/tenant": tenant}}}),
        );
    }
    world.cell("shop", "rz09s", "sh-1");
    world.start();
    world.settle(5).await;
    let spec = |name: &str, clusters: &[&str]| {
        let clusters: Vec<Value> = clusters.iter().map(|name| json!({"name": name})).collect();
        json!({"template": {"spec": {"name": name}}, "placement": {"clusters": clusters}})
    };
    world.apply_in("shop", "foo-01", spec("shops own", &["rz09s.shop"]));
    world.settle(5).await;
    world.sh.touch(FOOS, "shop-rz09s", "foo-01", |foo| {
        foo["status"] = json!({"secret": true});
    });
    world.settle(5).await;
    let own = world.sh.get(FOOS, "shop-rz09s", "foo-01");
    assert_eq!(own["spec"]["name"], "shops own");
    world.forget_writes();

    // Named outright, by selector, in the mask, and by an override: nothing of it is seen or touched.
    let foreign = ["rz00a.bank", "rz09s.shop", "sh-1"];
    let mut bold = spec("robbed", &foreign);
    bold["overrides"] = json!([{"clusterName": "rz09s.shop",
        "clusterOverrides": [{"path": "/spec/name", "value": "robbed"}]}]);
    world.apply("foo-01", bold.clone());
    world.settle(5).await;
    bold["placementMask"] = bold["placement"].clone();
    world.apply("foo-01", bold);
    world.settle(5).await;
    world.apply(
        "foo-02",
        json!({"template": {"spec": {"name": "robbed"}},
            "placement": {"clusterSelector": {"matchLabels": {"koinon.io/cell-namespace": "shop"}}}}),
    );
    world.settle(5).await;
    assert_eq!(world.member_writes(), ["hz-1: POST foos bank-rz00a/foo-01"]);
    assert_eq!(world.sh.get(FOOS, "shop-rz09s", "foo-01"), own);
    assert_eq!(world.status("foo-01"), ["rz00a.bank=-"]);
    assert!(world.status("foo-02").is_empty());

    world.hub.touch(FEDERATED_FOOS, "bank", "foo-01", |foo| {
        foo["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    world.settle(20).await;
    assert!(world.hub.get(FEDERATED_FOOS, "bank", "foo-01").is_null());
    assert_eq!(
        world.member_writes(),
        ["hz-1: DELETE foos bank-rz00a/foo-01"]
    );
    assert_eq!(world.sh.get(FOOS, "shop-rz09s", "foo-01"), own);
}
