//! Client-side `kubectl apply`: what it sends again must change nothing, and what it changes must arrive.

use super::*;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {
        "type": "NodePort", "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]}})
}

#[tokio::test]
async fn a_deployment_changes_where_the_patch_says_and_nowhere_else() {
    let api = world().await;
    let mut applied = deployment();
    applied["metadata"]["annotations"] = json!({LAST_APPLIED: "{}"});
    let made = post(&api, DEPLOYMENTS, applied).await.unwrap();
    let path = "apps/v1/ns/deployments/web";
    // What kubectl sends for a new image and one more container, with the directives that it adds.
    let body = json!({"metadata": {"annotations": {LAST_APPLIED: "{\"a\":1}"}},
        "spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "nginx"}, {"name": "sidecar"}],
            "containers": [
                {"name": "nginx", "image": "nginx:1.28",
                    "$setElementOrder/ports": [{"containerPort": 80}]},
                {"name": "sidecar", "image": "busybox:1"}]}}}});
    let (_, changed) = send(&api, &patching(path, STRATEGIC, body.clone()))
        .await
        .unwrap();
    let containers = changed["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    assert_eq!(containers.len(), 2);
    assert_eq!(containers[0]["image"], "nginx:1.28");
    assert_eq!(
        containers[0]["ports"],
        made["spec"]["template"]["spec"]["containers"][0]["ports"]
    );
    assert_eq!(containers[1]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(changed["metadata"]["generation"], 2);
    let (_, again) = send(&api, &patching(path, STRATEGIC, body)).await.unwrap();
    assert_eq!(again, changed);
}

#[tokio::test]
async fn a_service_keeps_what_the_server_gave_it() {
    let api = world().await;
    let made = post(&api, "/v1/ns/services", service()).await.unwrap();
    let ip = made["spec"]["clusterIP"].as_str().unwrap();
    assert!(ip.starts_with("10.96.") && made["spec"]["clusterIPs"] == json!([ip]));
    let ports = made["spec"]["ports"].as_array().unwrap();
    assert!(
        ports
            .iter()
            .all(|port| port["nodePort"].as_u64().is_some_and(|n| n >= 30_000))
    );
    assert_ne!(ports[0]["nodePort"], ports[1]["nodePort"]);
    let path = "/v1/ns/services/web";
    assert_eq!(put(&api, path, service()).await.unwrap(), made);
    let body = json!({"spec": {
        "$setElementOrder/ports": [{"port": 80}, {"port": 443}],
        "ports": [{"port": 80, "targetPort": 8080}]}});
    let (_, changed) = send(&api, &patching(path, STRATEGIC, body)).await.unwrap();
    assert_eq!(changed["spec"]["ports"][0]["targetPort"], 8080);
    assert_eq!(
        changed["spec"]["ports"][0]["nodePort"],
        ports[0]["nodePort"]
    );
    assert_eq!(changed["spec"]["ports"][1], ports[1]);
    let body = json!({"spec": {"clusterIP": "10.96.200.200", "clusterIPs": ["10.96.200.200"]}});
    let error = send(&api, &patching(path, MERGE, body)).await.unwrap_err();
    assert!(
        error.message.contains("may not change once set"),
        "{}",
        error.message
    );
}
