//! Members that join with less, change their token, leave and come back.

use std::time::Duration;

use federation_tests::federated::{Trace, counted, federated, federated_foo};
use federation_tests::world::{LABELS, MemberKind, World};
use federation_tests::{Kubectl, eventually, within};
use serde_json::json;

use crate::foo::{looks_for, says, settled_foo, trace};

const SYSTEM: &str = "kube-federation-system";

fn labels() -> String {
    LABELS
        .map(|(key, value)| format!("{key}={value}"))
        .join(",")
}

/// The hub's own account in a member.
fn account(cluster: &str) -> String {
    format!("{cluster}-koinon")
}

/// Whether a member's RBAC lets the hub's account do something.
fn may(member: &Kubectl, cluster: &str, verb: &str, resource: &str) -> bool {
    let user = format!("--as=system:serviceaccount:{SYSTEM}:{}", account(cluster));
    let answer = member.attempt(&["auth", "can-i", verb, resource, "-A", &user]);
    answer.is_ok_and(|answer| answer.starts_with("yes"))
}

/// The enabled kinds and no more, as the member's RBAC sees it.
fn least_is_granted(member: &Kubectl) {
    assert!(may(member, "lp-1", "create", "foos.tutorial.my.domain"));
    assert!(!may(member, "lp-1", "list", "secrets"), "not granted");
    assert!(
        !may(member, "lp-1", "list", "resourcequotas"),
        "not yet granted"
    );
    assert!(!may(
        member,
        "lp-1",
        "create",
        "clusterroles.rbac.authorization.k8s.io"
    ));
    assert!(
        may(member, "sh-1", "list", "secrets"),
        "joined without --least-privilege"
    );
}

pub(crate) fn a_member_joined_with_least_privilege(world: &World) {
    let workspace = world.workspace("least");
    let hub = workspace.hub();
    let member = world.member("sh-1").kubectl();
    let file = member.kubeconfig().display().to_string();
    let labels = labels();
    world.fedctl(&[
        "join",
        "lp-1",
        "--least-privilege",
        "--cluster-kubeconfig",
        &file,
        "--labels",
        &labels,
    ]);
    world.fedctl(
        &"cell create rz02a --cluster lp-1 -n least"
            .split(' ')
            .collect::<Vec<_>>(),
    );
    let ready = ["wait", "--for=condition=Ready", "cell/rz02a"];
    hub.run(&[&ready[..], &["--timeout=60s"]].concat());
    let cell = member.namespace("least-rz02a");
    hub.apply(&federated_foo("modest", &["rz02a"], "joe"));
    looks_for(&cell, "modest", "joe");
    cell.patch("foo", "modest", &json!({"spec": {"name": "drift"}}));
    looks_for(&cell, "modest", "joe");

    // Enabled later: the grants are brought in step by the member's administrator.
    let quota = json!({"spec": {"hard": {"pods": "10"}}});
    world.fedctl(&["enable", "resourcequotas", "--cluster", "hz-1"]);
    if world.column.members == MemberKind::Upstream {
        least_is_granted(&member);
    }
    hub.apply(&federated(
        "FederatedResourceQuota",
        "small",
        &["rz02a"],
        quota,
    ));
    world.fedctl(&[
        "grant",
        "lp-1",
        "--least-privilege",
        "--cluster-kubeconfig",
        &file,
    ]);
    within(Duration::from_secs(60), "the quota arrives", || {
        cell.try_get("resourcequota", "small").map(|_| ())
    });
    counted(hub, "federatedresourcequota", "small", 1, 0);

    hub.run(&["delete", "federatedresourcequota", "small", "--timeout=30s"]);
    world.fedctl(&["disable", "resourcequotas", "--delete-crd"]);
    world.fedctl(&[
        "grant",
        "lp-1",
        "--least-privilege",
        "--cluster-kubeconfig",
        &file,
    ]);
    if world.column.members == MemberKind::Upstream {
        eventually("the grant is taken back", || {
            match may(&member, "lp-1", "list", "resourcequotas") {
                true => Err("it may still list resourcequotas"),
                false => Ok(()),
            }
        });
    }
    hub.run(&["delete", "federatedfoo", "modest", "--timeout=30s"]);
    world.fedctl(&["cell", "delete", "rz02a", "-n", "least"]);
    hub.run(&["wait", "--for=delete", "cell/rz02a", "--timeout=30s"]);
}

/// A token Secret of the hub's account in a member, with a token in it.
fn token(member: &Kubectl, secret: &str) -> String {
    eventually(&format!("{secret} has a token"), || {
        let object = member.try_get("secret", secret)?;
        match object["data"]["token"].as_str() {
            Some(token) if !token.is_empty() => Ok(token.to_owned()),
            _ => Err(object.to_string()),
        }
    })
}

/// Asks a member with nothing but a token.
fn is_refused(member: &Kubectl, token: &str) -> Result<(), String> {
    let server = member.output(&[
        "config",
        "view",
        "--minify",
        "-o",
        "jsonpath={.clusters[0].cluster.server}",
    ]);
    let (server, token) = (format!("--server={server}"), format!("--token={token}"));
    let bare = [
        "--kubeconfig=/dev/null",
        "--insecure-skip-tls-verify",
        &server,
        &token,
    ];
    match member.attempt(&[&bare[..], &["get", "--raw", "/api"]].concat()) {
        Ok(_) => Err("it is still good".to_owned()),
        Err(complaint) if complaint.contains("Unauthorized") => Ok(()),
        Err(complaint) => Err(complaint),
    }
}

pub(crate) fn a_replaced_token_is_noticed(world: &World) {
    let workspace = world.workspace("rotated");
    settled_foo(&workspace, "before", "joe");
    let member = world.member("sh-1").kubectl().namespace(SYSTEM);
    let hub = world.hub().namespace(SYSTEM);
    let account = account("sh-1");
    let old = token(&member, &account);

    // Revoked: the Secret that the token belongs to is gone. The member refuses it, and the hub says so.
    member.run(&["delete", "secret", &account]);
    let plain = String::from_utf8(base64(&old)).expect("a token is text");
    eventually("the old token is refused", || is_refused(&member, &plain));
    let registered = hub.get("kubefedcluster", "sh-1");
    let secret = registered["spec"]["secretRef"]["name"]
        .as_str()
        .expect("a Secret's name");
    says(
        &hub,
        "kubefedcluster",
        "sh-1",
        "it is not ready",
        |cluster| {
            let conditions = cluster["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                !all.iter()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True")
            })
        },
    );

    // A new one, into the Secret that is already referred to: nothing else changes.
    member.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": account, "annotations": {"kubernetes.io/service-account.name": account}},
    }));
    let new = token(&member, &account);
    assert_ne!(new, old);
    hub.patch("secret", secret, &json!({"data": {"token": new}}));
    hub.run(&[
        "wait",
        "--for=condition=Ready",
        "kubefedcluster/sh-1",
        "--timeout=30s",
    ]);
    workspace
        .hub()
        .apply(&federated_foo("after", &["rz01a"], "jack"));
    looks_for(&workspace.cell("rz01a"), "after", "jack");
    counted(workspace.hub(), "federatedfoo", "after", 1, 0);
}

/// Decodes base64, as Secrets hold values.
fn base64(text: &str) -> Vec<u8> {
    let bytes: k8s_openapi::ByteString =
        serde_json::from_value(json!(text)).expect("the server sends base64");
    bytes.0
}

pub(crate) fn a_member_leaves_and_comes_back(world: &World) {
    let workspace = world.workspace("rejoined");
    settled_foo(&workspace, "kept", "joe");
    let before = trace(&workspace, "rz01a", "kept");
    let member = world.member("sh-1").kubectl();
    let file = member.kubeconfig().display().to_string();
    world.fedctl(&["unjoin", "sh-1", "--cluster-kubeconfig", &file]);
    let system = world.hub().namespace(SYSTEM);
    let complaint = system.complaint(&["get", "kubefedcluster", "sh-1"]);
    assert!(complaint.contains("NotFound"), "{complaint}");
    let role = format!("kubefed-controller-manager:{}", account("sh-1"));
    for kind in ["clusterrole", "clusterrolebinding"] {
        let complaint = member.complaint(&["get", kind, &role]);
        assert!(complaint.contains("NotFound"), "{complaint}");
    }
    // What was propagated stays, with nobody to keep it.
    assert_eq!(
        Trace::of(&workspace.cell("rz01a").get("foo", "kept")),
        before
    );
    // At once: the member is still clearing up the namespace.
    let labels = format!("{},region=sh", labels());
    world.fedctl(&[
        "join",
        "sh-1",
        "--cluster-kubeconfig",
        &file,
        "--labels",
        &labels,
    ]);
    system.run(&[
        "wait",
        "--for=condition=Ready",
        "kubefedcluster/sh-1",
        "--timeout=60s",
    ]);
    workspace.hub().run(&[
        "wait",
        "--for=condition=Ready",
        "cell/rz01a",
        "--timeout=60s",
    ]);
    let patch = json!({"spec": {"template": {"spec": {"name": "jack"}}}});
    workspace.hub().patch("federatedfoo", "kept", &patch);
    looks_for(&workspace.cell("rz01a"), "kept", "jack");
    assert_eq!(trace(&workspace, "rz01a", "kept").uid, before.uid);
}
