//! The hub as its users meet it: real kubectl, both versions of a federated kind, admission.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use federation_api::FederatedTypeConfig;
use federation_api::crd::{ConversionStrategy, TargetFacts, federated_crd};
use federation_apiserver::{Config, open_hub};
use serde_json::{Value, json};

/// Runs kubectl; gives success, standard output and standard error.
fn kubectl(directory: &Path, arguments: &str, stdin: &str) -> (bool, String, String) {
    let mut child = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(directory.join("kubeconfig"))
        .arg("--cache-dir")
        .arg(directory.join("cache"))
        .args(arguments.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[track_caller]
fn works(directory: &Path, arguments: &str, stdin: &str) -> String {
    let (ok, out, err) = kubectl(directory, arguments, stdin);
    assert!(ok, "kubectl {arguments}: {out}{err}");
    out
}

#[track_caller]
fn fails(directory: &Path, arguments: &str, stdin: &str) -> String {
    let (ok, out, err) = kubectl(directory, arguments, stdin);
    assert!(!ok, "kubectl {arguments}: {out}{err}");
    err
}

fn foo_definition() -> String {
    let config: FederatedTypeConfig = serde_json::from_value(json!({
        "apiVersion": "core.kubefed.io/v1beta1",
        "kind": "FederatedTypeConfig",
        "metadata": {"name": "foos.tutorial.my.domain", "namespace": "kube-federation-system"},
        "spec": {
            "propagation": "Enabled",
            "targetType": {"group": "tutorial.my.domain", "version": "v1", "kind": "Foo",
                "pluralName": "foos", "scope": "Namespaced"},
            "federatedType": {"group": "types.kubefed.io", "version": "v1beta1",
                "kind": "FederatedFoo", "pluralName": "federatedfoos", "scope": "Namespaced"},
        },
    }))
    .unwrap();
    federated_crd(
        &config,
        &TargetFacts::default(),
        &ConversionStrategy::InProcess,
    )
    .to_string()
}

const CELL: &str = "apiVersion: koinon.io/v1alpha1
kind: Cell
metadata: {name: rz00a, namespace: bank-prod}
spec: {clusterRef: {name: hz-1}}
";

const FOO: &str = "apiVersion: types.kubefed.io/v1
kind: FederatedFoo
metadata: {name: foo-01, namespace: bank-prod}
spec:
  topologyType: cell
  placement: {topologies: [{name: rz00a}]}
  template: {spec: {name: jack}}
";

/// A selector of cells means cells of the object's namespace, and shows in each version in its own words.
fn select_cells(d: &Path) {
    let own = json!({"matchLabels": {"region": "hz"}});
    let object = json!({"apiVersion": "types.kubefed.io/v1", "kind": "FederatedFoo",
        "metadata": {"name": "by-label", "namespace": "bank-prod"},
        "spec": {"topologyType": "cell", "placement": {"topologySelector": own},
            "placementMask": {"topologySelector": {}}}});
    works(d, "create -f -", &object.to_string());
    let read = |version: &str| -> Value {
        let arguments =
            format!("-n bank-prod get federatedfoos.{version}.types.kubefed.io by-label -o json");
        serde_json::from_str(&works(d, &arguments, "")).unwrap()
    };
    let (north, south) = (read("v1"), read("v1beta1"));
    assert_eq!(north["spec"], object["spec"]);
    let all = json!({"koinon.io/cell-namespace": "bank-prod"});
    let some = json!({"koinon.io/cell-namespace": "bank-prod", "region": "hz"});
    assert_eq!(
        south["spec"],
        json!({"placement": {"clusterSelector": {"matchLabels": some}},
            "placementMask": {"clusterSelector": {"matchLabels": all}}})
    );
    works(d, "-n bank-prod delete federatedfoo by-label", "");
}

/// What cannot mean anything is refused with the field that is wrong.
fn write_nonsense(d: &Path) {
    let empty = "apiVersion: types.kubefed.io/v1\nkind: FederatedFoo\n\
                 metadata: {name: empty, namespace: bank-prod}\nspec: null\n";
    let refused = fails(d, "create -f -", empty);
    assert!(refused.contains("spec: Required value"), "{refused}");
    let own = json!({"apiVersion": "core.kubefed.io/v1beta1", "kind": "FederatedTypeConfig",
        "metadata": {"name": "federatedfoos.types.kubefed.io", "namespace": "kube-federation-system"},
        "spec": {"propagation": "Enabled",
            "targetType": {"group": "types.kubefed.io", "version": "v1", "kind": "FederatedFoo",
                "pluralName": "federatedfoos", "scope": "Namespaced"},
            "federatedType": {"group": "types.kubefed.io", "version": "v1beta1",
                "kind": "FederatedFederatedFoo", "pluralName": "federatedfederatedfoos", "scope": "Namespaced"}}});
    let refused = fails(d, "create -f -", &own.to_string());
    assert!(refused.contains("spec.targetType.group"), "{refused}");
}

/// Written by a user instead of by a conversion: the annotation must not break readers of the other version.
fn forge_residues(d: &Path) {
    let forged = |residue: &Value| {
        let mut object: Value = json!({"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedFoo",
            "metadata": {"name": "forged", "namespace": "bank-prod"},
            "spec": {"placement": {"clusters": [{"name": "hz-1"}]}}});
        object["metadata"]["annotations"] =
            json!({"koinon.io/conversion-residue": json!({"edits": [residue]}).to_string()});
        object.to_string()
    };
    let clusters = json!([{"name": "hz-1"}]);
    let mistyped =
        json!({"path": ["spec", "placement"], "from": {"topologies": clusters}, "to": 7});
    works(d, "create -f -", &forged(&mistyped));
    let all = works(
        d,
        "-n bank-prod get federatedfoos.v1.types.kubefed.io -o json",
        "",
    );
    let all: Value = serde_json::from_str(&all).unwrap();
    let shown = &all["items"][0];
    assert_eq!(shown["spec"]["placement"], json!({"topologies": clusters}));

    let invalid = json!({"path": ["spec", "topologyType"], "from": "cluster", "to": "star"});
    let refused = fails(d, "replace -f -", &forged(&invalid));
    let expected = "metadata.annotations[koinon.io/conversion-residue]";
    assert!(refused.contains(expected), "{refused}");
    let annotate = "-n bank-prod annotate federatedfoos.v1beta1.types.kubefed.io forged";
    works(d, &format!("{annotate} koinon.io/conversion-residue-"), "");
    let refused = fails(d, &format!("{annotate} koinon.io/topology-type=star"), "");
    let expected = "metadata.annotations[koinon.io/topology-type]";
    assert!(refused.contains(expected), "{refused}");
    works(d, "-n bank-prod delete federatedfoo forged", "");
}

/// Everything that needs the hub and kubectl, off the async runtime.
fn use_hub(directory: &Path) {
    let d = directory;
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: bank-prod}\n";
    works(d, "create -f -", namespace);
    let config = works(
        d,
        "-n kube-federation-system get kubefedconfig kubefed -o json",
        "",
    );
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["spec"]["scope"], "Cluster");
    works(d, "apply -f -", &foo_definition());
    works(
        d,
        "wait --for=condition=Established crd/federatedfoos.types.kubefed.io --timeout=10s",
        "",
    );
    forge_residues(d);
    select_cells(d);
    write_nonsense(d);
    works(d, "apply -f -", CELL);
    works(d, "apply -f -", FOO);
    let read = |version: &str| -> Value {
        let arguments =
            format!("-n bank-prod get federatedfoos.{version}.types.kubefed.io foo-01 -o json");
        serde_json::from_str(&works(d, &arguments, "")).unwrap()
    };
    let (north, south) = (read("v1"), read("v1beta1"));
    assert_eq!(
        north["spec"]["placement"],
        json!({"topologies": [{"name": "rz00a"}]})
    );
    assert_eq!(north["spec"]["topologyType"], "cell");
    assert_eq!(
        south["spec"]["placement"],
        json!({"clusters": [{"name": "rz00a.bank-prod"}]})
    );
    assert!(south["spec"].get("topologyType").is_none());
    let explained = works(d, "explain federatedfoo.spec.placementMask", "");
    assert!(explained.contains("FIELD: placementMask"), "{explained}");

    let taken = fails(d, "-n bank-prod delete cell rz00a", "");
    assert!(taken.contains("federatedfoos/foo-01"), "{taken}");
    works(
        d,
        "-n bank-prod annotate cell rz00a koinon.io/cell-deletion-policy=Orphan",
        "",
    );
    works(d, "-n bank-prod delete cell rz00a", "");

    let twin = CELL.replace("name: hz-1}", "name: hz-1}, memberNamespace: one");
    works(d, "apply -f -", &twin);
    let refused = fails(d, "apply -f -", &twin.replace("rz00a", "rz00b"));
    assert!(
        refused.contains("\"rz00a\" of namespace \"bank-prod\""),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_shows_cells_to_users_and_clusters_to_controllers() {
    if !common::kubectl_is_there() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let hub = open_hub(&Config::local(directory.path())).await.unwrap();
    let path = directory.path().to_owned();
    tokio::task::spawn_blocking(move || use_hub(&path))
        .await
        .unwrap();
    hub.shutdown().await;
    let again = open_hub(&Config::local(directory.path())).await.unwrap();
    assert!(again.server.is_ready());
    again.shutdown().await;
}
