//! What kubectl does with a file that holds a `kind: List`, and the questions that it asks about users.

use crate::harness::{TestServer, kubectl_is_there};

const LIST: &str = r#"
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: first}, data: {a: b}}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: second}
  spec:
    selector: {matchLabels: {a: b}}
    template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: "i:1"}]}}
"#;

#[tokio::test]
async fn a_list_is_created_applied_and_judged() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let k = async |arguments: &str, file: &str| server.kubectl(arguments, file).await;
    k("create -f -", LIST)
        .await
        .has(&["configmap/first created", "deployment.apps/second created"]);
    k(
        "apply -f -",
        &LIST.replace("a: b}}\n- api", "a: c}}\n- api"),
    )
    .await
    .has(&["configmap/first configured", "deployment.apps/second"]);
    k(
        "apply -f -",
        &LIST.replace("a: b}}\n- api", "a: c}}\n- api"),
    )
    .await
    .has(&["configmap/first unchanged", "deployment.apps/second"]);
    let wrong = LIST.replace("data: {a: b}", "dataa: {a: b}");
    let refused = k("apply -f -", &wrong).await;
    assert!(!refused.ok, "{}", refused.text());
    assert!(refused.stderr.contains("dataa"), "{}", refused.stderr);
    server.stop().await;
}

#[tokio::test]
async fn users_can_ask_who_they_are_and_what_they_may() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let k = async |arguments: &str| server.kubectl(arguments, "").await;
    let me = k("auth whoami -o json").await.json();
    let groups = &me["status"]["userInfo"]["groups"];
    assert!(
        groups
            .as_array()
            .is_some_and(|list| list.iter().any(|g| g == "system:authenticated")),
        "{me}"
    );
    k("auth can-i delete pods").await.has(&["yes"]);
    k("auth can-i get /metrics").await.has(&["yes"]);
    server.stop().await;
}
