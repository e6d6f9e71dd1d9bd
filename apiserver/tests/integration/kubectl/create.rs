//! `kubectl create <kind>`, which sends Protobuf since 1.32.

use bytes::Bytes;
use serde_json::json;

use crate::harness::{TestServer, kubectl_is_there};

const PROTOBUF: (&str, &str) = ("content-type", "application/vnd.kubernetes.protobuf");

#[tokio::test]
async fn every_generator_of_kubectl_works() {
    if !kubectl_is_there() {
        return;
    }
    let server = TestServer::start().await;
    let k = async |arguments: &str| server.kubectl(arguments, "").await;
    let namespace = k("create namespace team -v=8").await;
    namespace.has(&["namespace/team created"]);
    let sent = namespace.stderr.to_ascii_lowercase();
    assert!(
        sent.contains("content-type: application/vnd.kubernetes.protobuf"),
        "kubectl did not send what this test is about: {sent}"
    );
    for (arguments, created) in [
        (
            "create configmap settings --from-literal=colour=blue --from-literal=empty=",
            "configmap/settings created",
        ),
        (
            "create secret generic login --from-literal=user=admin --type=example.org/login",
            "secret/login created",
        ),
        (
            "create serviceaccount robot",
            "serviceaccount/robot created",
        ),
        (
            "create role reader --verb=get,list --resource=pods,deployments.apps",
            "role.rbac.authorization.k8s.io/reader created",
        ),
        (
            "create rolebinding readers --role=reader --serviceaccount=team:robot",
            "rolebinding.rbac.authorization.k8s.io/readers created",
        ),
        (
            "create deployment web --image=nginx:1.27 --replicas=3 --port=80",
            "deployment.apps/web created",
        ),
        (
            "create service clusterip web --tcp=80:http",
            "service/web created",
        ),
        (
            "create cronjob nightly --image=busybox --schedule=@daily -- date",
            "cronjob.batch/nightly created",
        ),
        (
            "create quota small --hard=cpu=1,memory=1Gi",
            "resourcequota/small created",
        ),
        (
            "create ingress web --rule=example.org/*=web:80",
            "ingress.networking.k8s.io/web created",
        ),
    ] {
        k(&format!("{arguments} -n team")).await.has(&[created]);
    }
    let get = async |what: &str| k(&format!("get {what} -n team -o json")).await.json();
    assert_eq!(
        get("cm settings").await["data"],
        json!({"colour": "blue", "empty": ""})
    );
    let secret = get("secret login").await;
    assert_eq!(secret["data"], json!({"user": "YWRtaW4="}));
    assert_eq!(secret["type"], "example.org/login");
    assert_eq!(
        get("role reader").await["rules"],
        json!([
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        ])
    );
    let deployment = get("deployment web").await;
    assert_eq!(deployment["spec"]["replicas"], 3);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "nginx:1.27");
    assert_eq!(container["ports"][0]["containerPort"], 80);
    let ports = &get("service web").await["spec"]["ports"];
    assert_eq!(ports[0]["port"], 80);
    assert_eq!(ports[0]["targetPort"], "http");
    assert_eq!(get("quota small").await["spec"]["hard"]["memory"], "1Gi");
    server.stop().await;
}

#[tokio::test]
async fn mistakes_in_protobuf_bodies_are_told() {
    let server = TestServer::start().await;
    let client = server.client();
    let post = async |path: &str, body: &'static [u8]| {
        client
            .send("POST", path, &[PROTOBUF], Bytes::from_static(body))
            .await
    };
    let secrets = "/api/v1/namespaces/default/secrets";
    let config_map = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x00";
    let wrong = post(secrets, config_map).await;
    assert_eq!(wrong.code, 400);
    assert_eq!(
        wrong.json()["message"],
        "the kind in the data (ConfigMap) does not match the expected kind (Secret)"
    );
    let broken = post(
        secrets,
        b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x01\x0a",
    )
    .await;
    assert_eq!(
        (broken.code, &broken.json()["message"]),
        (
            400,
            &"Secret in version \"v1\" cannot be handled as a Secret: unexpected EOF".into()
        )
    );
    let nameless = post(secrets, b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x00").await;
    assert_eq!(nameless.code, 422, "{}", nameless.text());
    server.stop().await;
}

/// A field of less than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
    bytes.extend(content);
    bytes
}

fn body(api_version: &str, kind: &str, raw: &[u8]) -> Bytes {
    let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    let parts = [b"k8s\0".to_vec(), field(1, &type_meta), field(2, raw)];
    parts.concat().into()
}

#[tokio::test]
async fn typed_clients_create_scale_and_delete() {
    let server = TestServer::start().await;
    let client = server.client();
    let send = async |method: &str, path: &str, body: Bytes| {
        client.send(method, path, &[PROTOBUF], body).await
    };
    let controllers = "/api/v1/namespaces/default/replicationcontrollers";
    let template = json!({
        "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx"}]},
    });
    let object = json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"app": "web"}, "template": template}});
    let made = client.send_json("POST", controllers, &object).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let one = format!("{controllers}/web");

    let name = field(1, &field(1, b"web"));
    let scale = body(
        "autoscaling/v1",
        "Scale",
        &[name, field(2, &[8, 4])].concat(),
    );
    let scaled = send("PUT", &format!("{one}/scale"), scale).await;
    assert_eq!(scaled.code, 200, "{}", scaled.text());
    assert_eq!(scaled.json()["spec"]["replicas"], 4);
    assert_eq!(client.get(&one).await.json()["spec"]["replicas"], 4);

    let dry_run = body("v1", "DeleteOptions", &field(5, b"All"));
    assert_eq!(send("DELETE", &one, dry_run).await.code, 200);
    let wrong_uid = body("v1", "DeleteOptions", &field(2, &field(1, b"another")));
    assert_eq!(send("DELETE", &one, wrong_uid).await.code, 409);
    let no_options = send("DELETE", &one, body("v1", "Pod", b"")).await;
    assert_eq!(no_options.code, 400);
    assert_eq!(
        no_options.json()["message"],
        "the kind in the data (Pod) does not match the expected kind (DeleteOptions)"
    );
    assert_eq!(client.get(&one).await.code, 200);
    let background = body("v1", "DeleteOptions", &field(4, b"Background"));
    assert_eq!(send("DELETE", &one, background).await.code, 200);
    assert_eq!(client.get(&one).await.code, 404);
    server.stop().await;
}
