//! Encryption at rest against upstream kube-apiserver: with one configuration, each opens what the other has sealed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use apiserver_store::{Key, Seals};
use base64::{Engine, engine::general_purpose::STANDARD};
use federation_apiserver::Encryption;
use federation_tests::upstream::{ControlPlane, Options};
use kms_plugin::KeyFile;
use serde_json::{Value, json};

const WORDS: &str = "words-that-only-the-key-shows";

/// A request to etcd's gateway.
fn etcd(plane: &ControlPlane, call: &str, body: &Value) -> Value {
    let address = plane.etcd_url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).expect("etcd listens");
    let body = body.to_string();
    write!(
        stream,
        "POST /v3/kv/{call} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("etcd reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("etcd answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    assert!(head.contains(" 200 "), "{answer}");
    serde_json::from_str(body).expect("JSON")
}

/// What kube-apiserver has stored.
fn stored(plane: &ControlPlane, path: &str) -> Vec<u8> {
    let answer = etcd(plane, "range", &json!({"key": STANDARD.encode(path)}));
    let value = answer["kvs"][0]["value"].as_str();
    let value = value.unwrap_or_else(|| panic!("nothing at {path}: {answer}"));
    STANDARD.decode(value).expect("Base64")
}

/// Secrets and some other kinds of the core group, each with another provider.
fn configuration(socket: &Path) -> String {
    let key = |byte: u8, length: usize| STANDARD.encode(vec![byte; length]);
    let (g16, g32, c, s) = (key(1, 16), key(2, 32), key(3, 32), key(4, 32));
    let socket = socket.display();
    format!(
        "apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aesgcm: {{keys: [{{name: g32, secret: {g32}}}, {{name: g16, secret: {g16}}}]}}
  - identity: {{}}
- resources: [configmaps]
  providers: [{{secretbox: {{keys: [{{name: s, secret: {s}}}]}}}}]
- resources: [podtemplates]
  providers: [{{aescbc: {{keys: [{{name: c, secret: {c}}}]}}}}]
- resources: [limitranges]
  providers: [{{kms: {{apiVersion: v2, name: file, endpoint: 'unix://{socket}', timeout: 3s}}}}]
- resources: [serviceaccounts]
  providers: [{{aesgcm: {{keys: [{{name: g16, secret: {g16}}}]}}}}]
"
    )
}

/// Plural, kind and the prefix that its provider leaves.
const KINDS: [(&str, &str, &str); 5] = [
    ("secrets", "Secret", "k8s:enc:aesgcm:v1:g32:"),
    ("configmaps", "ConfigMap", "k8s:enc:secretbox:v1:s:"),
    ("podtemplates", "PodTemplate", "k8s:enc:aescbc:v1:c:"),
    ("limitranges", "LimitRange", "k8s:enc:kms:v2:file:"),
    (
        "serviceaccounts",
        "ServiceAccount",
        "k8s:enc:aesgcm:v1:g16:",
    ),
];

fn object(kind: &str, name: &str) -> Value {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "annotations": {"words": WORDS}},
    });
    match kind {
        "PodTemplate" => {
            object["template"] = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        }
        "LimitRange" => object["spec"] = json!({"limits": []}),
        _ => {}
    }
    object
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_opens_what_the_other_has_sealed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("kms.sock");
    let file = directory.path().join("encryption.yaml");
    std::fs::write(&file, configuration(&socket)).expect("writable");
    let keys = KeyFile::open(&directory.path().join("kms.keys")).expect("a file of keys");
    let plugin = tokio::spawn({
        let socket = socket.clone();
        async move { kms_plugin::serve(&socket, keys, std::future::pending()).await }
    });
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let options = Options {
        extra_apiserver_args: vec![format!("--encryption-provider-config={}", file.display())],
        ..Options::default()
    };
    let started = tokio::task::spawn_blocking(|| ControlPlane::start(options)).await;
    let Some(plane) = started.expect("no panic") else {
        return;
    };
    let ours = Encryption::from_file(&file, false)
        .await
        .expect("kube-apiserver takes it, too");
    for (plural, kind, prefix) in KINDS {
        open_theirs(&plane, &ours.seals(), plural, kind, prefix).await;
        let name = seal_ours(&plane, &ours.seals(), plural, kind);
        let read = plane.kubectl().get(plural, &name);
        assert_eq!(read["metadata"]["annotations"]["words"], WORDS, "{plural}");
    }
    plugin.abort();
}

/// Has kube-apiserver store an object, and opens that.
async fn open_theirs(plane: &ControlPlane, seals: &Seals, plural: &str, kind: &str, prefix: &str) {
    plane.kubectl().apply(&object(kind, "theirs"));
    let bytes = stored(plane, &format!("/registry/{plural}/default/theirs"));
    assert!(bytes.starts_with(prefix.as_bytes()), "{plural}");
    assert!(!contains(&bytes, WORDS), "{plural}");
    let key = Key::new(format!("/{plural}"), "default", "theirs");
    let opened = seals.open(&key, bytes.clone().into()).await;
    let opened = opened.unwrap_or_else(|error| panic!("{plural}: {error}"));
    // kube-apiserver stores Protobuf.
    assert!(
        opened.starts_with(b"k8s\0") && contains(&opened, WORDS),
        "{plural}"
    );
    if prefix.contains("aesgcm") || prefix.contains("kms") {
        let elsewhere = Key::new(format!("/{plural}"), "default", "another");
        assert!(
            seals.open(&elsewhere, bytes.into()).await.is_err(),
            "{plural}"
        );
    }
}

/// Puts an object that we sealed under kube-apiserver's feet. Returns its name.
fn seal_ours(plane: &ControlPlane, seals: &Seals, plural: &str, kind: &str) -> String {
    let name = "ours".to_owned();
    let key = Key::new(format!("/{plural}"), "default", name.clone());
    let mut object = object(kind, &name);
    object["metadata"]["uid"] = json!("7c3c1f1e-6a55-4d3c-8b0d-2f0f6d1f9a11");
    let sealed = seals
        .seal(&key, &object.to_string().into())
        .expect("can be sealed");
    let path = format!("/registry/{plural}/default/{name}");
    etcd(
        plane,
        "put",
        &json!({"key": STANDARD.encode(path), "value": STANDARD.encode(sealed)}),
    );
    name
}
