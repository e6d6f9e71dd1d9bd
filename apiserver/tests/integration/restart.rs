//! What a server leaves behind and finds again.

use std::path::Path;

use apiserver::seams::Seams;
use apiserver::{Certificates, Server, ServerHandle};
use apiserver_store::{SqliteBackend, SqliteOptions, Store, StoreOptions};
use serde_json::json;

use crate::harness::Client;

async fn start(directory: &Path) -> ServerHandle {
    let backend = SqliteBackend::open(SqliteOptions::new(directory.join("store")))
        .await
        .unwrap();
    let store = Store::open(backend, StoreOptions::default()).await.unwrap();
    let certificates = Certificates::open(&directory.join("pki"), &[], &Seams::system()).unwrap();
    Server::builder(store, certificates).start().await.unwrap()
}

#[tokio::test]
async fn objects_definitions_and_certificates_outlive_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.a.example"},
        "spec": {"group": "a.example", "scope": "Cluster",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let things = "/apis/a.example/v1/things";
    let first = start(directory.path()).await;
    let admin = Client::of(&first).with_certificate(first.certificates().admin().unwrap());
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let created = admin.send_json("POST", definitions, &crd).await;
    assert_eq!(created.code, 201, "{}", created.text());
    let thing =
        json!({"apiVersion": "a.example/v1", "kind": "Thing", "metadata": {"name": "t"}, "x": 1});
    let mut code = 404;
    for _ in 0..100 {
        code = admin.send_json("POST", things, &thing).await.code;
        if code == 201 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(code, 201);
    let before = admin.get(&format!("{things}/t")).await.json();
    let ca_pem = first.ca_pem().to_owned();
    first.shutdown().await;

    let second = start(directory.path()).await;
    assert_eq!(second.ca_pem(), ca_pem);
    let admin = Client::of(&second).with_certificate(second.certificates().admin().unwrap());
    let after = admin.get(&format!("{things}/t")).await.json();
    assert_eq!(after, before);
    second.shutdown().await;
}
