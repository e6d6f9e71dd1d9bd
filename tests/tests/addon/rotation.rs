//! Certificates change while they are in use.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_tests::Kubectl;

use crate::rolling::nothing_is_lost;
use crate::trust::handshake;
use crate::world::{AddOn, SYSTEM};
use crate::writer::Writer;

/// Long enough for two CAs. They are trusted for a tenth of their life before they sign, which must be long on a busy machine.
const TIME: Duration = Duration::from_secs(60);

#[test]
fn every_certificate_is_trusted_before_it_is_served_and_no_write_fails() {
    let Some(add_on) = AddOn::install() else {
        return;
    };
    let lives = ["--ca-lifetime", "60s", "--certificate-lifetime", "30s"];
    let _webhooks = [add_on.webhook(&lives), add_on.webhook(&lives)];
    let _controller = add_on.controller();
    add_on.init(&["--wait", "--timeout", "60"]);
    add_on.join_itself();
    let kubectl = add_on.plane.kubectl();
    let writer = Writer::start(&add_on);
    let begun = Instant::now();
    let (mut served, mut signers) = (BTreeSet::new(), BTreeSet::new());
    while begun.elapsed() < TIME {
        for bundle in bundles(&kubectl) {
            match handshake(add_on.balancer.port(), &bundle) {
                Ok(certificate) => drop(served.insert(certificate)),
                Err(error) => panic!(
                    "after {:.1?}: {error}, with\n{bundle}{}",
                    begun.elapsed(),
                    _webhooks[0].log()
                ),
            }
        }
        let secret = kubectl
            .namespace(SYSTEM)
            .get("secret", "koinon-webhook-tls");
        signers.insert(secret["data"]["signer.crt"].to_string());
        sleep(Duration::from_millis(300));
    }
    let written = writer.stop();
    println!(
        "{} CAs, {} serving certificates, {} writes",
        signers.len(),
        served.len(),
        written.done
    );
    assert!(signers.len() >= 2, "the CA did not change");
    assert!(served.len() >= 3, "the serving certificate did not change");
    nothing_is_lost(&add_on, &written);
}

/// The bundles that the API server reads.
fn bundles(kubectl: &Kubectl) -> Vec<String> {
    let places = [
        (
            "crd",
            "federatedconfigmaps.types.kubefed.io",
            "/spec/conversion/webhook/clientConfig/caBundle",
        ),
        (
            "validatingwebhookconfiguration",
            "koinon",
            "/webhooks/0/clientConfig/caBundle",
        ),
        (
            "mutatingwebhookconfiguration",
            "koinon",
            "/webhooks/0/clientConfig/caBundle",
        ),
    ];
    let bundle = |(kind, name, pointer): (&str, &str, &str)| {
        let object = kubectl.get(kind, name);
        let encoded = object.pointer(pointer).and_then(|value| value.as_str());
        let decoded = STANDARD.decode(encoded.expect("a bundle")).unwrap();
        String::from_utf8(decoded).unwrap()
    };
    places.map(bundle).to_vec()
}
