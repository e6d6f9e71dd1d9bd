//! The upstream control planes that other tests stand on are what they are taken for.

use std::time::{Duration, Instant};

use federation_tests::eventually;
use federation_tests::upstream::{ControlPlane, Options};
use serde_json::json;

#[test]
fn several_start_at_once_and_are_apart() {
    let start = Instant::now();
    let plain = Options::default();
    let Some(planes) = ControlPlane::start_several(&[plain.clone(), plain]) else {
        return;
    };
    println!("two API servers in {:.1?}", start.elapsed());
    let [one, other] = [&planes[0], &planes[1]].map(ControlPlane::kubectl);
    one.run(&["create", "configmap", "mine"]);
    let complaint = other.complaint(&["get", "configmap", "mine"]);
    assert!(complaint.contains("NotFound"), "{complaint}");
}

#[test]
fn controllers_act_and_an_api_server_that_is_killed_comes_back_as_it_was() {
    let start = Instant::now();
    let Some(mut plane) = ControlPlane::start(Options::with_controllers()) else {
        return;
    };
    println!(
        "a control plane with controllers in {:.1?}",
        start.elapsed()
    );
    let kubectl = plane.kubectl();
    kubectl.run(&["create", "deployment", "web", "--image=web"]);
    eventually("the deployment controller makes a Pod", || {
        let pods = kubectl.output(&["get", "pods", "-l", "app=web", "-o", "name"]);
        if pods.is_empty() { Err("none") } else { Ok(()) }
    });
    plane.kill_9_apiserver();
    let complaint = kubectl.complaint(&["get", "deployment", "web"]);
    assert!(complaint.contains("refused"), "{complaint}");
    plane.restart_apiserver();
    kubectl.run(&["get", "deployment", "web"]);
    kubectl.run(&["create", "namespace", "short-lived"]);
    kubectl.run(&["delete", "namespace", "short-lived", "--timeout=60s"]);
}

#[test]
fn rbac_decides() {
    let Some(plane) = ControlPlane::start(Options::default()) else {
        return;
    };
    let file = plane.directory().join("reader.kubeconfig");
    std::fs::write(&file, plane.kubeconfig_of("reader", Some("readers"))).unwrap();
    let file = file.display().to_string();
    let reader = |arguments: &[&str]| {
        let as_reader = [&["--kubeconfig", &file], arguments].concat();
        plane.kubectl().attempt(&as_reader)
    };
    let refused = reader(&["get", "configmaps"]).unwrap_err();
    assert!(
        refused.contains(r#"User "reader" cannot list"#),
        "{refused}"
    );
    plane.kubectl().run(&[
        "create",
        "clusterrole",
        "readers",
        "--verb=list",
        "--resource=configmaps",
    ]);
    plane.kubectl().apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "readers"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers"}],
    }));
    eventually("the grant holds", || reader(&["get", "configmaps"]));
    assert!(reader(&["create", "configmap", "x"]).is_err());
}

/// Nothing is left of a control plane that its owner forgot: the watchdogs saw to it.
#[test]
fn nothing_is_left_behind() {
    let Some(plane) = ControlPlane::start(Options::default()) else {
        return;
    };
    let directory = plane.directory().to_owned();
    let needle = directory.display().to_string();
    let running = || {
        let list = std::process::Command::new("ps")
            .args(["-eo", "args"])
            .output()
            .unwrap();
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        list.lines()
            .filter(|line| line.contains(&needle) && !line.starts_with("sh -c"))
            .count()
    };
    assert_eq!(running(), 2);
    drop(plane);
    assert_eq!(running(), 0);
    assert!(!directory.exists());
    std::thread::sleep(Duration::from_millis(100));
    assert!(!directory.exists(), "a process wrote after its end");
}
