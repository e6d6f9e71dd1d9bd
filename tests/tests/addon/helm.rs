//! The Helm chart.

use std::collections::BTreeMap;
use std::process::Command;

use federation_tests::repository;
use federation_tests::upstream::upstream_program;
use serde_json::Value;

use crate::documents::documents;
use crate::world::AddOn;

/// helm in the root of the repository. `None`: it was not built, and the test is to be skipped.
fn helm() -> Option<Command> {
    let Some(program) = upstream_program("helm") else {
        assert_ne!(
            std::env::var("KOINON_REQUIRE_TOOLS").as_deref(),
            Ok("1"),
            "helm is missing: cargo xtask upstream"
        );
        eprintln!("skipped: helm is missing");
        return None;
    };
    let mut helm = Command::new(program);
    helm.current_dir(repository());
    Some(helm)
}

fn run(helm: &mut Command) -> String {
    let output = helm.output().expect("helm starts");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{helm:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// By kind and name, without what only helm reads.
fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let named = |mut object: Value| {
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove("helm.sh/resource-policy");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
        (
            format!("{} {}", object["kind"], object["metadata"]["name"]),
            object,
        )
    };
    objects.into_iter().map(named).collect()
}

#[test]
fn the_chart_installs_what_init_installs() {
    let Some(mut helm) = helm() else {
        return;
    };
    let rendered = run(helm.args(["template", "koinon", "deploy/helm/koinon"]));
    let manifests = repository().join("deploy/manifests/koinon.yaml");
    let manifests = std::fs::read_to_string(manifests).unwrap();
    let (chart, init) = (
        by_name(documents(&rendered)),
        by_name(documents(&manifests)),
    );
    let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&chart), names(&init));
    for (name, object) in &init {
        assert_eq!(&chart[name], object, "{name}");
    }
}

#[test]
fn a_release_works_and_an_upgrade_keeps_the_certificate_authority() {
    let (Some(_), Some(add_on)) = (helm(), AddOn::prepare()) else {
        return;
    };
    let url = format!("webhook.externalUrl={}", add_on.balancer.url());
    let helm = |arguments: &[&str]| {
        let mut helm = helm().expect("it was there");
        helm.env("KUBECONFIG", add_on.plane.kubeconfig())
            .env("HELM_CACHE_HOME", add_on.plane.directory().join("helm"))
            .env("HELM_CONFIG_HOME", add_on.plane.directory().join("helm"))
            .env("HELM_DATA_HOME", add_on.plane.directory().join("helm"))
            .args(arguments);
        run(&mut helm)
    };
    let chart = ["koinon", "deploy/helm/koinon", "--set", &url];
    helm(&[&["install"], &chart[..]].concat());
    let (_webhook, _controller) = (add_on.webhook(&[]), add_on.controller());
    add_on.join_itself();
    let kubectl = add_on.plane.kubectl();
    let bundle = || {
        let config = kubectl.get("validatingwebhookconfiguration", "koinon");
        config["webhooks"][0]["clientConfig"]["caBundle"].clone()
    };
    let before = bundle();
    assert!(before.is_string());
    helm(&[&["upgrade", "--set", "webhook.replicas=3"], &chart[..]].concat());
    assert_eq!(bundle(), before);
    add_on
        .kubectl()
        .run(&["get", "federatedconfigmaps.v1.types.kubefed.io"]);
    helm(&["uninstall", "koinon"]);
    kubectl.run(&[
        "get",
        "crd",
        "federatedconfigmaps.types.kubefed.io",
        "cells.koinon.io",
    ]);
    kubectl.run(&["get", "namespace", crate::world::SYSTEM]);
}
