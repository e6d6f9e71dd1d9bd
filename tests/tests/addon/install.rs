//! `fedctl init` and `fedctl deinit`.

use federation_tests::eventually;

use crate::world::{AddOn, SYSTEM};
use federation_tests::manifests::documents;

#[test]
fn it_installs_again_and_goes() {
    let Some((add_on, _webhooks, _controllers)) = AddOn::start(1, 1) else {
        return;
    };
    let again = add_on.init(&[]);
    let touched: Vec<&str> = again
        .lines()
        .filter(|line| line.ends_with("created") || line.ends_with("configured"))
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
    let kubectl = add_on.plane.kubectl();
    let config = kubectl.get("validatingwebhookconfiguration", "koinon");
    assert!(config["webhooks"][0]["clientConfig"]["caBundle"].is_string());

    add_on.join_itself();
    let complaint = add_on.try_fedctl(&["deinit", "--purge"]).unwrap_err();
    for expected in [
        "KubeFedCluster kube-federation-system/hz-1",
        "Cell bank-prod/rz00a",
    ] {
        assert!(complaint.contains(expected), "{complaint}");
    }
    add_on.fedctl(&["deinit"]);
    let _ = kubectl.complaint(&["get", "validatingwebhookconfiguration", "koinon"]);
    kubectl
        .namespace(SYSTEM)
        .run(&["get", "kubefedcluster", "hz-1"]);

    add_on.init(&["--wait", "--timeout", "60"]);
    let group = add_on.kubectl();
    group.run(&["delete", "cell", "rz00a", "--timeout=60s"]);
    add_on.fedctl(&["disable", "configmaps"]);
    let kubeconfig = add_on.plane.kubeconfig().display().to_string();
    add_on.fedctl(&["unjoin", "hz-1", "--cluster-kubeconfig", &kubeconfig]);
    add_on.fedctl(&["deinit", "--purge"]);
    eventually("nothing of it is left", || {
        let left = kubectl.output(&["get", "crd,clusterroles,clusterrolebindings", "-o", "name"]);
        let is_ours = |line: &&str| line.contains("koinon") || line.contains("kubefed");
        let ours: Vec<&str> = left.lines().filter(is_ours).collect();
        match ours.is_empty() {
            true => Ok(()),
            false => Err(ours.join(" ")),
        }
    });
}

#[test]
fn what_is_wrong_is_said_before_anything_is_made() {
    let Some(add_on) = AddOn::install() else {
        return;
    };
    let said = |arguments: &[&str]| add_on.try_fedctl(arguments).unwrap_err();
    let complaint = said(&["init", "--external-webhook-url", "http://a"]);
    assert!(
        complaint.contains("must begin with https://"),
        "{complaint}"
    );
    let alone = add_on
        .program("federation-controller", "koinon-controller")
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(!alone.status.success(), "{complaint}");
    assert!(
        complaint.contains("needs a webhook to convert"),
        "{complaint}"
    );
    let url = add_on.balancer.url();
    let complaint = said(&[
        "init",
        "--external-webhook-url",
        &url,
        "--wait",
        "--timeout",
        "1",
    ]);
    let expected = "no webhook has published one: does it run?";
    assert!(complaint.contains(expected), "{complaint}");
}

/// The plain manifests are what the program applies.
#[test]
fn the_manifests_are_what_init_applies() {
    let Some(tools) = federation_tests::Tools::find() else {
        return;
    };
    let output = std::process::Command::new(tools.fedctl())
        .args(["init", "--dry-run=client", "-o", "yaml"])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let file = federation_tests::repository().join("deploy/manifests/koinon.yaml");
    let committed = std::fs::read_to_string(file).unwrap();
    assert_eq!(documents(&printed), documents(&committed));
    assert!(documents(&printed).len() > 20);
}
