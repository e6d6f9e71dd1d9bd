//! A conversion webhook of somebody else's: our API server says what kube-apiserver says when it fails.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_tests::upstream::{Authority, ControlPlane, Identity, Options};
use federation_tests::{Kubectl, Playground, eventually};
use serde_json::{Value, json};

use crate::balancer::Balancer;
use federation_tests::fake::{Behaviour, Fake, answer, converted, good, issue};

/// What is wrong, and what the webhook does.
struct Case {
    what: &'static str,
    identity: Identity,
    behaviour: Behaviour,
}

fn definition(url: &str, ca: &str) -> Value {
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage, "schema": {"openAPIV3Schema":
            {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}})
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [version("v1", true), version("v2", false)],
            "conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"],
                "clientConfig": {"url": format!("{url}/convert"), "caBundle": STANDARD.encode(ca)}}},
        },
    })
}

/// A serving certificate that another CA signed.
fn by_a_stranger() -> Identity {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "stranger");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    issue(&ca.pem(), &key.serialize_pem(), false)
}

fn answering(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Behaviour {
    Arc::new(move |review| {
        let mut said = answer(review, converted(review));
        change(&mut said);
        Some((200, said.to_string()))
    })
}

fn cases(directory: &Path) -> Vec<Case> {
    let pem = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
    let (ca, key) = (pem("ca.crt"), pem("ca.key"));
    let case = |what, behaviour| Case {
        what,
        identity: issue(&ca, &key, false),
        behaviour,
    };
    let mut cases = vec![
        Case {
            what: "certificate expired",
            identity: issue(&ca, &key, true),
            behaviour: good(),
        },
        Case {
            what: "certificate of another CA",
            identity: by_a_stranger(),
            behaviour: good(),
        },
        case("slow", Arc::new(|_| None)),
        case(
            "status 500",
            Arc::new(|_| Some((500, "out of order".to_owned()))),
        ),
        case(
            "status 404",
            Arc::new(|_| Some((404, "no such path".to_owned()))),
        ),
        case("no JSON", Arc::new(|_| Some((200, "nonsense".to_owned())))),
        case("no review", Arc::new(|_| Some((200, "{}".to_owned())))),
    ];
    let response = |what, change: fn(&mut Value)| {
        case(what, answering(move |said| change(&mut said["response"])))
    };
    cases.extend([
        response("another uid", |r| r["uid"] = json!("other")),
        response("a failure with words", |r| {
            r["result"] = json!({"status": "Failure", "message": "I would rather not"})
        }),
        response("a failure without words", |r| {
            r["result"] = json!({"status": "Failure"})
        }),
        response("no objects", |r| r["convertedObjects"] = json!([])),
        response("no change of version", |r| {
            r["convertedObjects"][0]["apiVersion"] = json!("example.org/v1")
        }),
        response("another kind", |r| {
            r["convertedObjects"][0]["kind"] = json!("Gadget")
        }),
        response("another name", |r| {
            r["convertedObjects"][0]["metadata"]["name"] = json!("other")
        }),
        response("another namespace", |r| {
            r["convertedObjects"][0]["metadata"]["namespace"] = json!("other")
        }),
        response("another object's uid", |r| {
            r["convertedObjects"][0]["metadata"]["uid"] = json!("other")
        }),
        response("no metadata", |r| {
            drop(
                r["convertedObjects"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("metadata"),
            )
        }),
        response("a label that is none", |r| {
            r["convertedObjects"][0]["metadata"]["labels"] = json!({"a": 5})
        }),
        response("a bad label", |r| {
            r["convertedObjects"][0]["metadata"]["labels"] = json!({"a b": "c"})
        }),
    ]);
    cases
}

/// What kubectl says in each case, with addresses and times made equal.
fn complaints(hub: &Kubectl) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path());
    let mut balancer = Balancer::start();
    hub.apply(&definition(&balancer.url(), authority.certificate_pem()));
    hub.run(&[
        "wait",
        "--for=condition=Established",
        "crd/widgets.example.org",
        "--timeout=30s",
    ]);
    // A new object for each case: our server remembers what it converted once.
    let make = |name: &str| {
        let widget = json!({"apiVersion": "example.org/v1", "kind": "Widget",
            "metadata": {"name": name}, "spec": {"a": 1}});
        eventually("widgets are served", || {
            hub.try_with_input(&["apply", "-f", "-"], &widget.to_string())
        });
    };
    let read = |name: &str| {
        hub.attempt(&[
            "get",
            "widgets.v2.example.org",
            name,
            "-o",
            "jsonpath={.spec.a}",
        ])
    };
    let port = balancer.port().to_string();
    let plain = |what: &str, complaint: String| {
        let mut text = complaint.trim().replace(&port, "PORT");
        for (pattern, word) in [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ is after", "TIME is after"),
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
            // Go says one or the other: its timers race.
            (r"net/http: request canceled", "context deadline exceeded"),
            (r" \(Client\.Timeout exceeded while awaiting headers\)", ""),
            // What a JSON parser says is its own.
            ("json parse error: .*", "json parse error: WHY"),
        ] {
            let pattern = regex::Regex::new(pattern).unwrap();
            text = pattern.replace_all(&text, word).into_owned();
        }
        format!("{what}: {text}")
    };
    let mut all = Vec::new();
    for (number, case) in cases(directory.path()).into_iter().enumerate() {
        let name = format!("kept-{number}");
        make(&name);
        let fake = Fake::start(&case.identity, case.behaviour);
        balancer.detour(Some(fake.address));
        match read(&name) {
            Ok(output) => all.push(format!("{}: read {output}", case.what)),
            Err(complaint) => all.push(plain(case.what, complaint)),
        }
        let well = Fake::start(&issue_from(directory.path()), good());
        balancer.detour(Some(well.address));
        let back = eventually("it is readable once the webhook is back", || read(&name));
        assert_eq!(back, "1", "after {}", case.what);
    }
    make("kept");
    balancer.close();
    let complaint = read("kept").expect_err("nobody listens");
    all.push(plain("down", complaint));
    hub.run(&["get", "widgets.v1.example.org", "kept"]);
    all
}

fn issue_from(directory: &Path) -> Identity {
    let pem = |file: &str| std::fs::read_to_string(directory.join(file)).unwrap();
    issue(&pem("ca.crt"), &pem("ca.key"), false)
}

#[test]
fn a_failing_conversion_webhook_is_told_of_in_the_words_of_kube_apiserver() {
    let (Some(upstream), Some(playground)) =
        (ControlPlane::start(Options::default()), Playground::start())
    else {
        return;
    };
    let theirs = std::thread::spawn({
        let kubectl = upstream.kubectl();
        move || complaints(&kubectl)
    });
    let ours = complaints(&playground.hub().namespace("default"));
    let theirs = theirs.join().expect("the same against kube-apiserver");
    let different: Vec<_> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .collect();
    assert!(different.is_empty(), "ours, theirs: {different:#?}");
    assert_eq!(ours.len(), theirs.len());
    println!("{} failures are told of in the same words", ours.len());
}
