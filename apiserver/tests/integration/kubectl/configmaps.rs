//! The commands of every day, on ConfigMaps.

use std::time::Duration;

use crate::harness::{TestServer, kubectl_is_there};

const SETTINGS: &str = "apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  labels: {app: demo}
data:
  colour: blue
  note: before-edit
";

#[tokio::test]
async fn objects_are_created_read_and_deleted() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let k = async |arguments: &str| server.kubectl(arguments, SETTINGS).await;
    k("get namespaces")
        .await
        .has(&["NAME", "STATUS", "default", "Active", "kube-system"]);
    k("get configmaps").await.text();
    k("create -f -").await.has(&["configmap/settings created"]);
    let again = k("create -f -").await;
    assert!(
        again.failure().contains("(AlreadyExists)")
            && again
                .failure()
                .contains("configmaps \"settings\" already exists"),
        "{}",
        again.failure()
    );
    k("get cm settings")
        .await
        .has(&["NAME", "DATA", "AGE", "settings", "2"]);
    k("get cm -o wide -A")
        .await
        .has(&["NAMESPACE", "default", "settings"]);
    k("get cm -l app=demo -o name")
        .await
        .has(&["configmap/settings"]);
    assert!(
        !k("get cm -l app=other -o name")
            .await
            .text()
            .contains("settings")
    );
    k("get cm settings -o yaml")
        .await
        .has(&["colour: blue", "apiVersion: v1", "kind: ConfigMap"]);
    let json = k("get cm settings -o json").await.json();
    assert_eq!(json["data"]["colour"], "blue");
    assert!(json["metadata"]["uid"].as_str().is_some());
    k("describe cm settings")
        .await
        .has(&["Name:", "settings", "colour:", "blue"]);
    k("get --raw /api/v1/namespaces/default/configmaps/settings")
        .await
        .has(&["\"colour\":\"blue\""]);
    k("delete cm settings")
        .await
        .has(&["configmap \"settings\" deleted"]);
    let gone = k("get cm settings").await;
    assert!(
        gone.failure()
            .contains("Error from server (NotFound): configmaps \"settings\" not found")
    );
    let nonsense = k("get nonsense").await;
    assert!(
        nonsense
            .failure()
            .contains("the server doesn't have a resource type \"nonsense\"")
    );
    server.stop().await;
}

#[tokio::test]
async fn objects_are_changed_in_every_way() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let k = async |arguments: &str| server.kubectl(arguments, SETTINGS).await;
    k("apply -f -").await.has(&["configmap/settings created"]);
    k("apply -f -").await.has(&["configmap/settings unchanged"]);
    let green = SETTINGS.replace("blue", "green");
    let diff = server.kubectl("diff -f -", &green).await;
    assert!(
        !diff.ok && diff.stdout.contains("+  colour: green"),
        "{}{}",
        diff.stdout,
        diff.stderr
    );
    server
        .kubectl("apply -f -", &green)
        .await
        .has(&["configmap/settings configured"]);
    server.kubectl("diff -f -", &green).await.text();
    server
        .kubectl("replace -f -", SETTINGS)
        .await
        .has(&["configmap/settings replaced"]);
    k("label cm settings tier=front").await.has(&["labeled"]);
    k("annotate cm settings why=test").await.has(&["annotated"]);
    for (kind, patch) in [
        ("merge", r#"{"data":{"by":"merge"}}"#),
        ("strategic", r#"{"data":{"also":"strategic"}}"#),
        (
            "json",
            r#"[{"op":"replace","path":"/data/colour","value":"red"}]"#,
        ),
    ] {
        server
            .kubectl_args(
                &["patch", "cm", "settings", "--type", kind, "-p", patch],
                "",
            )
            .await
            .has(&["configmap/settings patched"]);
    }
    k("edit cm settings")
        .await
        .has(&["configmap/settings edited"]);
    let json = k("get cm settings -o json").await.json();
    assert_eq!(
        json["data"],
        serde_json::json!({"colour": "red", "by": "merge", "also": "strategic", "note": "after-edit"})
    );
    assert_eq!(json["metadata"]["labels"]["tier"], "front");
    assert_eq!(json["metadata"]["annotations"]["why"], "test");
    server.stop().await;
}

#[tokio::test]
async fn mistakes_are_told() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let strict = server
        .kubectl("create -f -", &format!("{SETTINGS}datta: {{}}\n"))
        .await;
    assert!(
        strict.failure().contains("unknown field \"datta\""),
        "{}",
        strict.failure()
    );
    let warned = server
        .kubectl(
            "create --validate=warn -f -",
            &format!("{SETTINGS}datta: {{}}\n"),
        )
        .await;
    warned.text();
    assert!(
        warned.stderr.contains("Warning: unknown field \"datta\""),
        "{}",
        warned.stderr
    );
    let nowhere = server.kubectl("-n nowhere create -f -", SETTINGS).await;
    assert!(
        nowhere
            .failure()
            .contains("namespaces \"nowhere\" not found"),
        "{}",
        nowhere.failure()
    );
    let bad = server
        .kubectl(
            "create -f -",
            &SETTINGS.replace("name: settings", "name: Not_Valid"),
        )
        .await;
    assert!(
        bad.failure().contains("Invalid value: \"Not_Valid\""),
        "{}",
        bad.failure()
    );
    server.stop().await;
}

#[tokio::test]
async fn watches_and_waits_see_what_happens() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    server.kubectl("create -f -", SETTINGS).await.text();
    let watch = server.kubectl("get cm settings -w --request-timeout=4s", "");
    let wait = server.kubectl(
        "wait --for=jsonpath={.data.colour}=green cm/settings --timeout=10s",
        "",
    );
    let change = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server
            .kubectl(
                "patch cm settings -p {\"data\":{\"colour\":\"green\",\"more\":\"1\"}}",
                "",
            )
            .await
    };
    let (watched, waited, changed) = tokio::join!(watch, wait, change);
    changed.text();
    waited.has(&["condition met"]);
    let rows: Vec<&str> = watched.stdout.lines().collect();
    assert!(rows.len() >= 3, "{}{}", watched.stdout, watched.stderr);
    assert!(
        rows[1].contains("settings") && rows[2].contains('3'),
        "{}",
        watched.stdout
    );
    let gone = server.kubectl("wait --for=delete cm/settings --timeout=10s", "");
    let delete = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.kubectl("delete cm settings", "").await
    };
    let (gone, deleted) = tokio::join!(gone, delete);
    deleted.text();
    gone.text();
    server.stop().await;
}

#[tokio::test]
async fn namespaces_live_and_die_with_what_they_hold() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n";
    server
        .kubectl("create -f -", namespace)
        .await
        .has(&["namespace/team created"]);
    server.kubectl("-n team create -f -", SETTINGS).await.text();
    server
        .kubectl("delete namespace team --timeout=20s", "")
        .await
        .has(&["namespace \"team\" deleted"]);
    let gone = server.kubectl("-n team get cm settings", "").await;
    assert!(gone.failure().contains("NotFound"), "{}", gone.failure());
    server.kubectl("create -f -", namespace).await.text();
    server.kubectl("delete -n team cm --all", "").await.text();
    server.stop().await;
}

#[tokio::test]
async fn the_api_describes_itself() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let k = async |arguments: &str| server.kubectl(arguments, "").await;
    k("api-resources").await.has(&[
        "configmaps",
        "cm",
        "deployments",
        "deploy",
        "apps/v1",
        "customresourcedefinitions",
    ]);
    k("api-versions")
        .await
        .has(&["v1", "apps/v1", "apiextensions.k8s.io/v1"]);
    k("explain configmap.data")
        .await
        .has(&["KIND:", "ConfigMap", "FIELD: data"]);
    k("explain deployment.spec.strategy")
        .await
        .has(&["rollingUpdate"]);
    k("version").await.has(&["v1.35.0"]);
    k("get --raw /readyz?verbose")
        .await
        .has(&["readyz check passed"]);
    k("cluster-info").await.has(&["is running at"]);
    server.stop().await;
}
