//! Definitions and their objects through the verbs, as clients write them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::tests::{api, start};
use crate::api::Api;
use crate::convert::view_one;
use crate::kinds::Kind;
use crate::request::{Query, Request, ResourcePath, UserInfo, Verb, Warnings};
use crate::status::ApiError;
use crate::verbs::{self, Body, Reply};

const CRDS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

fn request(verb: Verb, group: &str, plural: &str, name: &str, body: &Value) -> Request {
    Request {
        path: ResourcePath {
            verb,
            group: group.to_owned(),
            version: "v1".to_owned(),
            resource: plural.to_owned(),
            namespace: String::new(),
            name: name.to_owned(),
            subresource: String::new(),
            rest: String::new(),
        },
        user: UserInfo::internal("test"),
        query: Query::default(),
        accept: String::new(),
        content_type: "application/json".to_owned(),
        user_agent: "test/1".to_owned(),
        body: Bytes::from(body.to_string()),
        warnings: Warnings::default(),
    }
}

fn row(api: &Api, group: &str, plural: &str) -> Option<Arc<Kind>> {
    api.registry.kinds().resource(group, plural).cloned()
}

async fn value(api: &Api, reply: Reply) -> Value {
    match reply {
        Reply::Object {
            body: Body::Value(value),
            ..
        }
        | Reply::Plain { value, .. } => value,
        Reply::Object {
            kind,
            version,
            body: Body::Stored(object),
            ..
        } => {
            serde_json::from_slice(&view_one(api, &kind, &version, &object).await.unwrap()).unwrap()
        }
        Reply::List { .. } | Reply::Watch { .. } => panic!("not one object"),
    }
}

async fn create(api: &Api, group: &str, plural: &str, body: Value) -> Result<Value, ApiError> {
    let kind = row(api, group, plural).ok_or_else(ApiError::no_such_path)?;
    let reply = verbs::create(
        api,
        &request(Verb::Create, group, plural, "", &body),
        &kind,
        "v1",
    )
    .await?;
    Ok(value(api, reply).await)
}

async fn served(api: &Api, group: &str, plural: &str) -> Arc<Kind> {
    for _ in 0..1000 {
        if let Some(row) = row(api, group, plural) {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{plural}.{group} is not served");
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "foos.example.org"},
        "spec": {"group": "example.org", "scope": "Cluster", "names": {"plural": "foos", "kind": "Foo"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string", "maxLength": 5}, "size": {"type": "integer", "default": 3}}}}}}}]}})
}

#[tokio::test]
async fn a_defined_kind_is_served_within_milliseconds_and_keeps_its_rules() {
    let api = api().await;
    let _stop = start(&api).drop_guard();
    let made = create(&api, CRDS.0, CRDS.1, definition()).await.unwrap();
    assert_eq!(made["spec"]["names"]["singular"], "foo");
    assert_eq!(made["spec"]["names"]["listKind"], "FooList");
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    served(&api, "example.org", "foos").await;
    let foo = |spec: Value| json!({"apiVersion": "example.org/v1", "kind": "Foo", "metadata": {"name": "a"}, "spec": spec});
    let error = create(
        &api,
        "example.org",
        "foos",
        foo(json!({"name": "too long"})),
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.message,
        "Foo.example.org \"a\" is invalid: spec.name: Too long: may not be more than 5 bytes"
    );
    let error = create(&api, "example.org", "foos", foo(json!({})))
        .await
        .unwrap_err();
    assert_eq!(
        error.message,
        "Foo.example.org \"a\" is invalid: spec.name: Required value"
    );
    let made = create(
        &api,
        "example.org",
        "foos",
        foo(json!({"name": "jack", "unknown": 1})),
    )
    .await
    .unwrap();
    assert_eq!(made["spec"], json!({"name": "jack", "size": 3}));
    assert!(made["metadata"]["uid"].is_string());
}

#[tokio::test]
async fn bad_definitions_are_refused() {
    let api = api().await;
    let mut bad = definition();
    bad["metadata"]["name"] = "other".into();
    bad["spec"]["scope"] = Value::Null;
    bad["spec"]["versions"][0]["schema"] = Value::Null;
    let error = create(&api, CRDS.0, CRDS.1, bad).await.unwrap_err();
    assert_eq!(error.code, 422);
    let fields: Vec<&str> = error
        .details
        .causes
        .iter()
        .map(|cause| cause.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "metadata.name",
            "spec.scope",
            "spec.versions[0].schema.openAPIV3Schema"
        ]
    );
    let error = create(&api, CRDS.0, CRDS.1, json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}}))
        .await
        .unwrap_err();
    assert_eq!(error.code, 422);
}
