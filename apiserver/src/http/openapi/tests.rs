//! The documents against upstream's.

use std::sync::Arc;

use serde_json::{Value, json};

use super::OpenApi;
use crate::kinds::{BuiltinHooks, Kinds, Plain, builtin_rows};

/// A few components of upstream's `apis__apps__v1_openapi.json`, as they are there.
const UPSTREAM: &str = include_str!("testdata/apps_v1.json");

fn kinds() -> Arc<Kinds> {
    let hooks = BuiltinHooks {
        strategy: |_, _| Arc::new(Plain),
        columns: |_, _| Vec::new(),
    };
    Arc::new(Kinds::new(builtin_rows(hooks)))
}

fn document(path: &str) -> Value {
    serde_json::from_slice(&OpenApi::default().document(&kinds(), path).unwrap().body).unwrap()
}

#[test]
fn components_are_upstreams() {
    let apps = document("apis/apps/v1");
    let upstream: Value = serde_json::from_str(UPSTREAM).unwrap();
    for (name, expected) in upstream.as_object().unwrap() {
        assert_eq!(&apps["components"]["schemas"][name], expected, "{name}");
    }
}

#[test]
fn patch_says_what_kubectl_looks_for() {
    let apps = document("apis/apps/v1");
    let patch = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "apps", "kind": "Deployment", "version": "v1"})
    );
    assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
    assert!(
        patch["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["name"] == "fieldValidation" && p["in"] == "query")
    );
    assert!(
        patch["requestBody"]["content"]
            .get("application/strategic-merge-patch+json")
            .is_some()
    );
    assert_eq!(
        apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["put"]["x-kubernetes-group-version-kind"]
            ["kind"],
        "Scale"
    );
    let core = document("api/v1");
    assert!(core["paths"]["/api/v1/namespaces/{name}"]["patch"].is_object());
    assert!(core["paths"]["/api/v1/namespaces"].get("delete").is_none());
}

#[test]
fn every_reference_of_every_document_resolves() {
    let (open_api, kinds) = (OpenApi::default(), kinds());
    let root: Value = serde_json::from_slice(&open_api.root(&kinds).body).unwrap();
    let paths = root["paths"].as_object().unwrap();
    assert!(paths.contains_key("api/v1") && paths.contains_key("apis/apiextensions.k8s.io/v1"));
    for (path, entry) in paths {
        let found = open_api.document(&kinds, path).unwrap();
        assert_eq!(
            entry["serverRelativeURL"],
            format!("/openapi/v3/{path}?hash={}", found.hash)
        );
        let whole: Value = serde_json::from_slice(&found.body).unwrap();
        check(&whole, &whole);
    }
    for absent in ["apis/apps/v9", "api", "apis/apps", "x", ""] {
        assert!(open_api.document(&kinds, absent).is_none(), "{absent}");
    }
}

fn check(whole: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                assert!(
                    whole.pointer(target.trim_start_matches('#')).is_some(),
                    "{target}"
                );
            }
            fields.values().for_each(|inner| check(whole, inner));
        }
        Value::Array(list) => list.iter().for_each(|inner| check(whole, inner)),
        _ => {}
    }
}

fn with_custom(schema: Value) -> Arc<Kinds> {
    let crd = json!({"metadata": {"uid": "u"}, "spec": {"group": "example.org", "scope": "Namespaced",
        "names": {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "FooList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "description": "A foo.", "properties": {"spec": schema}}}}]}});
    let names = crate::kinds::custom::AcceptedNames::parse(&crd["spec"]["names"]);
    let row = crate::kinds::custom::custom_row(&crd, &names, false, 1 << 20).unwrap();
    Arc::new(Kinds::new(kinds().iter().cloned().chain([Arc::new(row)])))
}

#[test]
fn custom_kinds_are_described_as_their_definition_says() {
    let kinds = with_custom(
        json!({"type": "object", "description": "What is wanted.", "properties": {"n": {"type": "integer"}}}),
    );
    let open_api = OpenApi::default();
    let found = open_api.document(&kinds, "apis/example.org/v1").unwrap();
    let document: Value = serde_json::from_slice(&found.body).unwrap();
    let foo = &document["components"]["schemas"]["org.example.v1.Foo"];
    assert_eq!(
        foo["x-kubernetes-group-version-kind"],
        json!([{"group": "example.org", "kind": "Foo", "version": "v1"}])
    );
    assert_eq!(
        foo["properties"]["spec"]["properties"]["n"]["type"],
        "integer"
    );
    assert_eq!(foo["description"], "A foo.");
    let metadata = &foo["properties"]["metadata"]["allOf"][0]["$ref"];
    assert_eq!(
        metadata,
        "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    );
    let patch =
        &document["paths"]["/apis/example.org/v1/namespaces/{namespace}/foos/{name}"]["patch"];
    assert_eq!(patch["operationId"], "patchExampleOrgV1NamespacedFoo");
    assert!(
        patch["requestBody"]["content"]
            .get("application/strategic-merge-patch+json")
            .is_none()
    );
    check(&document, &document);
}

#[test]
fn a_hash_changes_with_its_document_only() {
    let hash =
        |kinds: &Arc<Kinds>, path: &str| OpenApi::default().document(kinds, path).unwrap().hash;
    let (one, other) = (
        with_custom(json!({"type": "string"})),
        with_custom(json!({"type": "integer"})),
    );
    assert_eq!(hash(&one, "apis/apps/v1"), hash(&other, "apis/apps/v1"));
    assert_eq!(
        hash(&one, "apis/example.org/v1"),
        hash(&one, "apis/example.org/v1")
    );
    assert_ne!(
        hash(&one, "apis/example.org/v1"),
        hash(&other, "apis/example.org/v1")
    );
    assert_ne!(hash(&one, "apis/apps/v1"), hash(&one, "api/v1"));
}
