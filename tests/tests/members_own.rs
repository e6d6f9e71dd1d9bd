//! What belongs to the members: their annotations, the fields that they fill in, and their status, which comes back to the hub.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use federation_tests::federated::{counted, entry, federated, federated_foo};
use federation_tests::{Kubectl, Playground, eventually, stays};
use serde_json::{Value, json};

/// One playground for all tests of this file, with Services enabled; each test has objects of its own.
static PLAYGROUND: LazyLock<Option<Playground>> = LazyLock::new(|| {
    let playground = Playground::start()?;
    let hub = playground.hub().namespace("kube-federation-system");
    hub.run(&["apply", "-f", "examples/types/services.yaml"]);
    hub.run(&[
        "wait",
        "--for=jsonpath={.status.propagationController}=Running",
        "federatedtypeconfig/services",
        "--timeout=20s",
    ]);
    Some(playground)
});

const PROTOCOL: &str = "service.beta.kubernetes.io/antcloud-loadbalancer-listener-protocol";
const LOAD_BALANCER: &str = "status.cafe.sofastack.io/loadbalancer";

fn service(name: &str, annotations: Value, target_port: u16) -> Value {
    let template = json!({
        "metadata": {"annotations": annotations, "labels": {"app-name": "my-nginx"}},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app-name": "my-nginx"},
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": target_port}],
        },
    });
    federated("FederatedService", name, &["rz00a", "rz01a"], template)
}

/// Waits until a member's Service has these annotations, and exactly these of the two.
fn has_annotations(cell: &Kubectl, name: &str, protocol: Option<&str>, balancer: Option<&str>) {
    eventually(&format!("{name} has {protocol:?} and {balancer:?}"), || {
        let service = cell.try_get("service", name)?;
        let annotations = &service["metadata"]["annotations"];
        let same = annotations[PROTOCOL].as_str() == protocol
            && annotations[LOAD_BALANCER].as_str() == balancer;
        if same {
            Ok(())
        } else {
            Err(service.to_string())
        }
    });
}

#[test]
fn annotations_are_the_templates_or_the_members_as_the_policy_says() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let (hub, cell) = (playground.hub(), playground.cell("rz00a"));
    let tcp = r#"{"80":"TCP"}"#;
    let up = r#"{"state":"active"}"#;
    hub.apply(&service(
        "public",
        json!({PROTOCOL: tcp, "team": "web"}),
        80,
    ));
    has_annotations(&cell, "public", Some(tcp), None);
    let sent = cell.get("service", "public");
    assert_eq!(
        sent["metadata"]["annotations"]["team"],
        Value::Null,
        "not in the policy, so not sent: {sent}"
    );
    let balancer = format!("{LOAD_BALANCER}={up}");
    cell.run(&["annotate", "service", "public", &balancer]);

    let udp = r#"{"80":"UDP"}"#;
    hub.apply(&service("public", json!({PROTOCOL: udp}), 80));
    has_annotations(&cell, "public", Some(udp), Some(up));
    let tampered = format!("{PROTOCOL}=off");
    cell.run(&["annotate", "service", "public", "--overwrite", &tampered]);
    has_annotations(&cell, "public", Some(udp), Some(up));

    hub.apply(&service("public", json!({}), 80));
    has_annotations(&cell, "public", None, Some(up));
    has_annotations(&playground.cell("rz01a"), "public", None, None);
}

#[test]
fn what_a_member_fills_in_stays() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let hub = playground.hub();
    hub.apply(&service("kept", json!({}), 80));
    counted(&hub, "federatedservice", "kept", 2, 0);
    let cells = [playground.cell("rz00a"), playground.cell("rz01a")];
    let filled: Vec<[Value; 3]> = cells.iter().map(filled_in).collect();
    for fields in &filled {
        assert!(fields.iter().all(|field| !field.is_null()), "{fields:?}");
    }
    hub.apply(&service("kept", json!({}), 8080));
    for (cell, before) in cells.iter().zip(&filled) {
        eventually("the target port is changed", || {
            let service = cell.try_get("service", "kept")?;
            if service["spec"]["ports"][0]["targetPort"] == 8080 {
                Ok(())
            } else {
                Err(service.to_string())
            }
        });
        assert_eq!(&filled_in(cell), before);
    }
    counted(&hub, "federatedservice", "kept", 2, 0);
    // And nobody fights over them.
    stays(Duration::from_secs(2), "a settled Service", || {
        cells[0].get("service", "kept")["metadata"]["resourceVersion"].clone()
    });
}

/// The address of the Service `kept`, its list of addresses and its node port.
fn filled_in(cell: &Kubectl) -> [Value; 3] {
    let spec = cell.get("service", "kept")["spec"].clone();
    [
        spec["clusterIP"].clone(),
        spec["clusterIPs"].clone(),
        spec["ports"][0]["nodePort"].clone(),
    ]
}

#[test]
fn a_members_status_is_on_the_hub_within_a_second() {
    let Some(playground) = PLAYGROUND.as_ref() else {
        return;
    };
    let (hub, cell) = (playground.hub(), playground.cell("rz01a"));
    hub.apply(&federated_foo("mood", &["rz01a"], "pal"));
    let is = |happy: bool| {
        eventually(&format!("the hub knows that happy is {happy}"), || {
            let object = hub.try_get("federatedfoo", "mood")?;
            if entry(&object, "rz01a")["remoteStatus"]["happy"] == happy {
                Ok(())
            } else {
                Err(object.to_string())
            }
        });
    };
    is(false);
    let mut took = Vec::new();
    for _ in 0..5 {
        // From before the Pod is there: the operator's own work and kubectl's start are part of the second.
        let start = Instant::now();
        cell.apply(
            &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pal"},
            "spec": {"containers": [{"name": "c", "image": "c"}]}}),
        );
        is(true);
        took.push(start.elapsed());
        cell.run(&["delete", "pod", "pal", "--now"]);
        is(false);
    }
    took.sort();
    assert!(took[2] < Duration::from_secs(1), "median of {took:?}");
}
