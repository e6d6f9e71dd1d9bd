//! The agent's manifest and chart, on an upstream control plane.

use std::collections::BTreeMap;

use federation_tests::manifests::{Helm, chart_is_manifest, documents};
use federation_tests::upstream::{ControlPlane, Options};
use federation_tests::{Kubectl, eventually, repository};
use serde_json::{Value, json};

const SYSTEM: &str = "kube-federation-system";
const MANIFEST: &str = "deploy/manifests/proxy-agent.yaml";
/// The placeholders of the manifest, as values of the chart.
const VALUES: [&str; 3] = [
    "hub.addresses={hub.example.org:8091}",
    "hub.ca=the certificate authority of the hub's tunnel\\, PEM\n",
    "hub.token=the one-time bootstrap token",
];

fn with_values<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let values = VALUES.iter().flat_map(|value| ["--set", value]);
    words.iter().copied().chain(values).collect()
}

#[test]
fn the_chart_installs_what_the_manifest_says() {
    let Some(helm) = Helm::find() else {
        return;
    };
    let template = with_values(&["koinon-agent", "deploy/helm/koinon-agent"]);
    chart_is_manifest(&helm, &template, MANIFEST);
}

#[test]
fn charts_take_what_clusters_of_ones_own_have() {
    let Some(helm) = Helm::find() else {
        return;
    };
    let rendered = helm.run(&[
        "template",
        "koinon-agent",
        "deploy/helm/koinon-agent",
        "--set=hub.existingSecret=mine,persistence.existingClaim=disk,hubAccess.create=false,createNamespace=false",
        "--set=extraArgs={--allow=metrics:443}",
    ]);
    let objects = documents(&rendered);
    let kinds: Vec<&str> = objects.iter().filter_map(|o| o["kind"].as_str()).collect();
    assert_eq!(kinds, ["ServiceAccount", "Deployment"]);
    let pod = &objects[1]["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][0]["secret"]["secretName"], "mine");
    let claim = &pod["volumes"][1]["persistentVolumeClaim"];
    assert_eq!(claim["claimName"], "disk");
    assert_eq!(pod["containers"][0]["args"][4], "--allow=metrics:443");
}

/// A cluster that lets nothing into the agent's namespace but what the strictest Pod security standard allows.
fn strict_cluster() -> Option<ControlPlane> {
    let plane = ControlPlane::start(Options::with_controllers())?;
    let enforced = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    plane.kubectl().apply(&json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": SYSTEM, "labels": enforced},
    }));
    Some(plane)
}

/// The Pod that the Deployment comes to, as admission let it through.
fn pod(kubectl: &Kubectl) -> Value {
    let of_agent = "app.kubernetes.io/component=proxy-agent";
    eventually("the agent's Pod is made", || {
        let list = kubectl.attempt(&["get", "pods", "-l", of_agent, "-o", "json"])?;
        let list: Value = serde_json::from_str(&list).map_err(|error| error.to_string())?;
        match list["items"].get(0) {
            Some(pod) => Ok(pod.clone()),
            None => kubectl
                .attempt(&["get", "replicasets", "-o", "yaml"])
                .and_then(Err),
        }
    })
}

#[test]
fn the_manifest_is_applied_and_grants_what_the_hub_needs() {
    let Some(plane) = strict_cluster() else {
        return;
    };
    let kubectl = plane.kubectl().namespace(SYSTEM);
    let manifest = repository().join(MANIFEST).display().to_string();
    kubectl.run(&[
        "apply",
        "--server-side",
        "--force-conflicts",
        "--validate=strict",
        "-f",
        &manifest,
    ]);
    let pod = pod(&kubectl);
    assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
    let mounted = pod["spec"]["volumes"].to_string();
    assert!(!mounted.contains("kube-api-access"), "{mounted}");
    // Again: nothing of it is refused the second time.
    let manifest_as_file = ["apply", "--server-side", "-f", &manifest];
    kubectl.run(&manifest_as_file);

    let account = format!("system:serviceaccount:{SYSTEM}:member-koinon");
    for (verb, what) in [
        ("impersonate", "users"),
        ("impersonate", "groups"),
        ("impersonate", "uids.authentication.k8s.io"),
        ("create", "deployments.apps"),
    ] {
        let asked = ["auth", "can-i", verb, what, "--as", &account];
        assert_eq!(kubectl.output(&asked).trim(), "yes", "{verb} {what}");
    }
    let agent = format!("system:serviceaccount:{SYSTEM}:proxy-agent");
    let list = kubectl
        .attempt(&["auth", "can-i", "list", "pods", "--as", &agent])
        .unwrap_err();
    assert!(list.contains("no"), "{list}");
    eventually("the hub's account has a token", || {
        match kubectl.try_get("secret", "member-koinon")?["data"]["token"].as_str() {
            Some(_) => Ok(()),
            None => Err("no token".to_owned()),
        }
    });
    let secret = kubectl.get("secret", "proxy-agent-bootstrap");
    let keys: BTreeMap<String, Value> = serde_json::from_value(secret["data"].clone()).unwrap();
    let keys: Vec<&str> = keys.keys().map(String::as_str).collect();
    assert_eq!(keys, ["ca.crt", "hub", "token"]);
}

#[test]
fn a_release_is_installed_and_its_upgrade_keeps_the_agents_state() {
    let (Some(helm), Some(plane)) = (Helm::find(), strict_cluster()) else {
        return;
    };
    let helm = helm.towards(&plane.kubeconfig());
    let kubectl = plane.kubectl().namespace(SYSTEM);
    let chart = [
        "koinon-agent",
        "deploy/helm/koinon-agent",
        "--set=createNamespace=false",
    ];
    helm.run(&with_values(&[&["install"], &chart[..]].concat()));
    pod(&kubectl);
    let uid = |kind: &str, name: &str| kubectl.get(kind, name)["metadata"]["uid"].clone();
    let before = uid("persistentvolumeclaim", "proxy-agent-state");
    helm.run(&with_values(
        &[&["upgrade"], &chart[..], &["--set=image.tag=next"]].concat(),
    ));
    assert_eq!(uid("persistentvolumeclaim", "proxy-agent-state"), before);
    let deployment = kubectl.get("deployment", "proxy-agent");
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, "koinon/proxy-agent:next");
    helm.run(&["uninstall", "koinon-agent"]);
    assert!(kubectl.try_get("deployment", "proxy-agent").is_err());
}
