//! What users see when Koinon's webhook fails, and that nothing is lost by it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_tests::upstream::Identity;
use federation_tests::{Kubectl, eventually};
use serde_json::{Value, json};

use crate::world::{AddOn, SYSTEM};
use federation_tests::fake::{Behaviour, Fake, answer, converted, issue};

const V1: &str = "federatedconfigmaps.v1.types.kubefed.io";
const V1BETA1: &str = "federatedconfigmaps.v1beta1.types.kubefed.io";

/// Reads the object in both versions, and wants it as it was.
fn is_readable(kubectl: &Kubectl, before: &Value) {
    eventually("v1 can be read again", || {
        let object = kubectl.try_get(V1, "kept")?;
        match object["spec"] == *before {
            true => Ok(()),
            false => Err(object.to_string()),
        }
    });
}

/// While the webhook fails: the stored version can be read, v1 cannot, and the complaint says what is wrong with what.
fn fails(kubectl: &Kubectl, port: u16, outcome: &str) {
    assert_eq!(
        kubectl.get(V1BETA1, "kept")["spec"]["placement"],
        json!({"clusters": [{"name": "rz00a.bank-prod"}]})
    );
    let complaint = kubectl.complaint(&["get", V1, "kept"]);
    // Go says one or the other of a slow server: its timers race.
    let complaint = complaint.replace("net/http: request canceled", "context deadline exceeded");
    let post = format!("Post \"https://127.0.0.1:{port}/convert?timeout=30s\": ");
    let outcome = outcome
        .replace("POST ", &post)
        .replace("PORT", &port.to_string());
    let kind = "types.kubefed.io/v1beta1, Kind=FederatedConfigMap";
    let expected = format!("conversion webhook for {kind} {outcome}");
    assert!(complaint.contains(&expected), "{complaint}\nnot {expected}");
}

/// A certificate that the API server trusts, but for its dates: the webhook's own CA signs it.
fn trusted(add_on: &AddOn, is_expired: bool) -> Identity {
    let secret = add_on
        .plane
        .kubectl()
        .namespace(SYSTEM)
        .get("secret", "koinon-webhook-tls");
    let text = |key: &str| {
        let encoded = secret["data"][key].as_str().expect("a Secret of ours");
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    };
    issue(&text("signer.crt"), &text("signer.key"), is_expired)
}

#[test]
fn a_webhook_that_fails_is_named_and_objects_are_readable_once_it_is_back() {
    let Some((mut add_on, _webhooks, _controllers)) = AddOn::start(1, 1) else {
        return;
    };
    add_on.join_itself();
    let (kubectl, port) = (add_on.kubectl(), add_on.balancer.port());
    kubectl.apply(&json!({
        "apiVersion": "types.kubefed.io/v1", "kind": "FederatedConfigMap",
        "metadata": {"name": "kept", "namespace": "bank-prod"},
        "spec": {"topologyType": "cell", "placement": {"topologies": [{"name": "rz00a"}]},
            "template": {"data": {"n": "1"}}},
    }));
    let before = kubectl.get(V1, "kept")["spec"].clone();

    add_on.balancer.close();
    let refused = "dial tcp 127.0.0.1:PORT: connect: connection refused";
    fails(&kubectl, port, &format!("failed: POST {refused}"));
    let complaint = kubectl.complaint(&["label", V1BETA1, "kept", "a=b"]);
    let expected = r#"failed calling webhook "validation.koinon.io": failed to call webhook"#;
    assert!(complaint.contains(expected), "{complaint}");
    add_on.balancer.open();
    is_readable(&kubectl, &before);

    let detour = |is_expired: bool, behaviour: Behaviour, why: &str| {
        let fake = Fake::start(&trusted(&add_on, is_expired), behaviour);
        add_on.balancer.detour(Some(fake.address));
        fails(&kubectl, port, why);
        add_on.balancer.detour(None);
        is_readable(&kubectl, &before);
    };
    let expired = "x509: certificate has expired or is not yet valid: current time ";
    let verify = format!("failed: POST tls: failed to verify certificate: {expired}");
    detour(true, federation_tests::fake::good(), &verify);
    detour(
        false,
        Arc::new(|_| None),
        "failed: POST context deadline exceeded",
    );
    let renamed: Behaviour = Arc::new(|review| {
        let mut objects = converted(review);
        objects[0]["metadata"]["name"] = json!("other");
        Some((200, answer(review, objects).to_string()))
    });
    let same = "returned invalid object: must have the same name: kept != other";
    detour(false, renamed, same);
    kubectl.run(&["delete", V1, "kept", "--timeout=30s"]);
}
