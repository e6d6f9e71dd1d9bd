//! Services: annotations that are whose the policy says, and fields that the member's allocators fill in.

use std::time::Duration;

use federation_tests::federated::{counted, federated};
use federation_tests::world::World;
use federation_tests::{Kubectl, eventually, stays};
use serde_json::{Value, json};

const PROTOCOL: &str = "service.beta.kubernetes.io/antcloud-loadbalancer-listener-protocol";
const LOAD_BALANCER: &str = "status.cafe.sofastack.io/loadbalancer";

fn service(name: &str, annotations: Value, target_port: u16) -> Value {
    let template = json!({
        "metadata": {"annotations": annotations, "labels": {"app-name": "my-nginx"}},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "selector": {"app-name": "my-nginx"},
            "ports": [
                {"name": "http", "protocol": "TCP", "port": 80, "targetPort": target_port},
                {"name": "https", "protocol": "TCP", "port": 443, "targetPort": 8443},
            ],
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

pub(crate) fn annotations_are_the_templates_or_the_members_as_the_policy_says(world: &World) {
    let workspace = world.workspace("annotated");
    let (hub, cell) = (workspace.hub(), workspace.cell("rz00a"));
    let tcp = r#"{"80":"TCP"}"#;
    let up = r#"{"state":"active"}"#;
    let annotations = json!({PROTOCOL: tcp, "team": "web"});
    hub.apply(&service("public", annotations, 80));
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
    has_annotations(&workspace.cell("rz01a"), "public", None, None);
}

pub(crate) fn what_a_member_fills_in_stays(world: &World) {
    let workspace = world.workspace("filled");
    let hub = workspace.hub();
    hub.apply(&service("kept", json!({}), 80));
    counted(hub, "federatedservice", "kept", 2, 0);
    let cells = [workspace.cell("rz00a"), workspace.cell("rz01a")];
    let filled: Vec<[Value; 5]> = cells.iter().map(filled_in).collect();
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
    counted(hub, "federatedservice", "kept", 2, 0);
    // And nobody fights over them.
    stays(Duration::from_secs(2), "a settled Service", || {
        cells[0].get("service", "kept")["metadata"]["resourceVersion"].clone()
    });
}

/// What the allocators gave the Service `kept`: its address, its list of addresses, its node ports, the port of health checks.
fn filled_in(cell: &Kubectl) -> [Value; 5] {
    let spec = cell.get("service", "kept")["spec"].clone();
    [
        spec["clusterIP"].clone(),
        spec["clusterIPs"].clone(),
        spec["ports"][0]["nodePort"].clone(),
        spec["ports"][1]["nodePort"].clone(),
        spec["healthCheckNodePort"].clone(),
    ]
}
