//! The Helm chart.

use federation_tests::manifests::{Helm, chart_is_manifest};

use crate::world::AddOn;

#[test]
fn the_chart_installs_what_init_installs() {
    let Some(helm) = Helm::find() else {
        return;
    };
    let template = ["koinon", "deploy/helm/koinon"];
    chart_is_manifest(&helm, &template, "deploy/manifests/koinon.yaml");
}

#[test]
fn a_release_works_and_an_upgrade_keeps_the_certificate_authority() {
    let (Some(helm), Some(add_on)) = (Helm::find(), AddOn::prepare()) else {
        return;
    };
    let helm = helm.towards(&add_on.plane.kubeconfig());
    let url = format!("webhook.externalUrl={}", add_on.balancer.url());
    let chart = ["koinon", "deploy/helm/koinon", "--set", &url];
    helm.run(&[&["install"], &chart[..]].concat());
    let (_webhook, _controller) = (add_on.webhook(&[]), add_on.controller());
    add_on.join_itself();
    let kubectl = add_on.plane.kubectl();
    let bundle = || {
        let config = kubectl.get("validatingwebhookconfiguration", "koinon");
        config["webhooks"][0]["clientConfig"]["caBundle"].clone()
    };
    let before = bundle();
    assert!(before.is_string());
    helm.run(&[&["upgrade", "--set", "webhook.replicas=3"], &chart[..]].concat());
    assert_eq!(bundle(), before);
    add_on
        .kubectl()
        .run(&["get", "federatedconfigmaps.v1.types.kubefed.io"]);
    helm.run(&["uninstall", "koinon"]);
    kubectl.run(&[
        "get",
        "crd",
        "federatedconfigmaps.types.kubefed.io",
        "cells.koinon.io",
    ]);
    kubectl.run(&["get", "namespace", crate::world::SYSTEM]);
}
