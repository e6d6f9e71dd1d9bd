//! A built-in kind with subresources and lists that merge by key.

use crate::harness::{TestServer, kubectl_is_there};

const NGINX: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: my-nginx
  labels: {app-name: my-nginx}
spec:
  replicas: 3
  selector: {matchLabels: {app-name: my-nginx}}
  template:
    metadata: {labels: {app-name: my-nginx}}
    spec:
      containers:
      - name: nginx
        image: nginx:1.27
        ports: [{containerPort: 80}]
      - name: sidecar
        image: busybox
";

#[tokio::test]
async fn a_deployment_is_applied_scaled_and_patched() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let k = async |arguments: &str| server.kubectl(arguments, NGINX).await;
    k("apply -f -")
        .await
        .has(&["deployment.apps/my-nginx created"]);
    k("get deploy")
        .await
        .has(&["READY", "UP-TO-DATE", "my-nginx", "0/3"]);
    k("get deploy -o wide")
        .await
        .has(&["CONTAINERS", "nginx,sidecar", "nginx:1.27,busybox"]);
    k("scale deploy my-nginx --replicas=5")
        .await
        .has(&["deployment.apps/my-nginx scaled"]);
    let scale = k("get --raw /apis/apps/v1/namespaces/default/deployments/my-nginx/scale")
        .await
        .json();
    assert_eq!(scale["kind"], "Scale");
    assert_eq!(scale["spec"]["replicas"], 5);
    let patch =
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"nginx","image":"nginx:1.28"}]}}}}"#;
    server
        .kubectl_args(&["patch", "deploy", "my-nginx", "-p", patch], "")
        .await
        .has(&["patched"]);
    let json = k("get deploy my-nginx -o json").await.json();
    let containers = json["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    assert_eq!(containers.len(), 2, "containers merge by name");
    assert_eq!(containers[0]["image"], "nginx:1.28");
    assert_eq!(json["spec"]["replicas"], 5);
    assert_eq!(json["metadata"]["generation"], 3);
    k("set image deploy/my-nginx sidecar=busybox:2")
        .await
        .has(&["image updated"]);
    let status = r#"{"status":{"replicas":5,"readyReplicas":5,"observedGeneration":4,"updatedReplicas":5,"availableReplicas":5}}"#;
    server
        .kubectl_args(
            &[
                "patch",
                "deploy",
                "my-nginx",
                "--subresource=status",
                "--type=merge",
                "-p",
                status,
            ],
            "",
        )
        .await
        .has(&["patched"]);
    k("get deploy my-nginx").await.has(&["5/5"]);
    k("describe deploy my-nginx")
        .await
        .has(&["Name:", "my-nginx", "Replicas:", "5 desired"]);
    k("delete deploy my-nginx").await.has(&["deleted"]);
    server.stop().await;
}

#[tokio::test]
async fn apply_forgets_what_the_manifest_forgot() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    server.kubectl("apply -f -", NGINX).await.text();
    server
        .kubectl("scale deploy my-nginx --replicas=7", "")
        .await
        .text();
    let (head, _) = NGINX.split_once("      - name: sidecar").unwrap();
    let fewer = head.replace("  replicas: 3\n", "");
    server
        .kubectl("apply -f -", &fewer)
        .await
        .has(&["configured"]);
    let json = server
        .kubectl("get deploy my-nginx -o json", "")
        .await
        .json();
    let containers = json["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    assert_eq!(containers.len(), 1);
    server.stop().await;
}
