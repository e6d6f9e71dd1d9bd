//! The writing verbs on a store in memory, in upstream's words.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::api::Api;
use crate::request::{Request, Verb};
use crate::status::ApiError;
use crate::testing::{api, namespace, request};
use crate::verbs::{Body, Reply};

async fn send(api: &Api, request: &Request) -> Result<Value, ApiError> {
    let (kind, version) = api.route(&request.path)?;
    Ok(match api.call(request, &kind, &version).await? {
        Reply::Object {
            body: Body::Stored(object),
            ..
        } => object.to_value(),
        Reply::Object {
            body: Body::Value(value),
            ..
        }
        | Reply::Plain { value, .. } => value,
        Reply::List { items, .. } => items.len().into(),
        Reply::Watch { .. } => Value::Null,
    })
}

async fn world() -> Api {
    let api = api().await;
    let made = request(Verb::Create, "/v1//namespaces", namespace("d"));
    send(&api, &made).await.expect("a namespace");
    api
}

fn config(name: &str, data: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": data}})
}

fn deployment(replicas: i64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "n"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
}

fn patch(path: &str, content_type: &str, body: Value) -> Request {
    Request {
        content_type: content_type.to_owned(),
        ..request(Verb::Patch, path, body)
    }
}

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

#[tokio::test]
async fn an_object_lives_from_post_to_delete() {
    let api = world().await;
    let created = send(
        &api,
        &request(Verb::Create, "/v1/d/configmaps", config("x", "1")),
    )
    .await
    .unwrap();
    let metadata = &created["metadata"];
    assert_eq!(metadata["namespace"], "d");
    assert!(
        metadata["uid"].is_string()
            && metadata["creationTimestamp"].is_string()
            && metadata["resourceVersion"].is_string()
    );
    let error = send(
        &api,
        &request(Verb::Create, "/v1/d/configmaps", config("x", "1")),
    )
    .await
    .unwrap_err();
    assert_eq!((error.code.as_u16(), error.reason), (409, "AlreadyExists"));
    assert_eq!(error.message, "configmaps \"x\" already exists");
    let same = send(
        &api,
        &request(Verb::Update, "/v1/d/configmaps/x", config("x", "1")),
    )
    .await
    .unwrap();
    assert_eq!(
        same["metadata"]["resourceVersion"], metadata["resourceVersion"],
        "nothing changed"
    );
    let mut stale = config("x", "2");
    stale["metadata"]["resourceVersion"] = "1".into();
    let error = send(&api, &request(Verb::Update, "/v1/d/configmaps/x", stale))
        .await
        .unwrap_err();
    assert!(error.message.starts_with(
        "Operation cannot be fulfilled on configmaps \"x\": the object has been modified"
    ));
    let gone = send(
        &api,
        &request(Verb::Delete, "/v1/d/configmaps/x", Value::Null),
    )
    .await
    .unwrap();
    assert_eq!(
        (&gone["status"], &gone["details"]["kind"]),
        (&json!("Success"), &json!("configmaps"))
    );
    let error = send(
        &api,
        &request(Verb::Delete, "/v1/d/configmaps/x", Value::Null),
    )
    .await
    .unwrap_err();
    assert_eq!(error.message, "configmaps \"x\" not found");
}

#[tokio::test]
async fn names_are_generated_and_namespaces_must_exist() {
    let api = world().await;
    let mut body = config("", "1");
    body["metadata"] = json!({"generateName": "x-"});
    let made = send(
        &api,
        &request(Verb::Create, "/v1/d/configmaps", body.clone()),
    )
    .await
    .unwrap();
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("x-") && name.len() == 7, "{name}");
    let error = send(&api, &request(Verb::Create, "/v1/nowhere/configmaps", body))
        .await
        .unwrap_err();
    assert_eq!(error.message, "namespaces \"nowhere\" not found");
    let mut other = config("x", "1");
    other["metadata"]["namespace"] = "e".into();
    let error = send(&api, &request(Verb::Create, "/v1/d/configmaps", other))
        .await
        .unwrap_err();
    assert_eq!(error.code.as_u16(), 400);
    let error = send(
        &api,
        &request(Verb::Create, "/v1/d/configmaps", config("Not Good", "1")),
    )
    .await
    .unwrap_err();
    assert_eq!(
        (error.code.as_u16(), error.details.causes[0].field.as_str()),
        (422, "metadata.name")
    );
}

#[tokio::test]
async fn unknown_fields_warn_or_refuse() {
    let api = world().await;
    let mut body = config("x", "1");
    body["spec"] = json!({"x": 1});
    let lenient = request(Verb::Create, "/v1/d/configmaps", body.clone());
    let made = send(&api, &lenient).await.unwrap();
    assert!(made.get("spec").is_none());
    assert_eq!(lenient.warnings.texts(), ["unknown field \"spec\""]);
    let mut strict = request(Verb::Create, "/v1/d/configmaps", body);
    strict
        .query
        .0
        .push(("fieldValidation".into(), "Strict".into()));
    let error = send(&api, &strict).await.unwrap_err();
    assert_eq!(
        error.message,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"spec\""
    );
}

#[tokio::test]
async fn three_patch_languages_and_generation() {
    let api = world().await;
    let made = send(
        &api,
        &request(Verb::Create, "apps/v1/d/deployments", deployment(1)),
    )
    .await
    .unwrap();
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(
        made["spec"]["strategy"]["type"], "RollingUpdate",
        "defaulted"
    );
    let path = "apps/v1/d/deployments/n";
    let labelled = send(
        &api,
        &patch(path, MERGE, json!({"metadata": {"labels": {"l": "1"}}})),
    )
    .await
    .unwrap();
    assert_eq!(
        labelled["metadata"]["generation"], 1,
        "metadata is no intent"
    );
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "j"}]}}}});
    let merged = send(&api, &patch(path, STRATEGIC, image)).await.unwrap();
    assert_eq!(merged["metadata"]["generation"], 2);
    assert_eq!(
        merged["spec"]["template"]["spec"]["containers"][0]["image"],
        "j"
    );
    let replaced = send(
        &api,
        &patch(
            path,
            JSON,
            json!([{"op": "replace", "path": "/spec/replicas", "value": 5}]),
        ),
    )
    .await
    .unwrap();
    assert_eq!(replaced["spec"]["replicas"], 5);
    let failed = send(
        &api,
        &patch(
            path,
            JSON,
            json!([{"op": "test", "path": "/spec/replicas", "value": 4}]),
        ),
    )
    .await
    .unwrap_err();
    assert_eq!(failed.code.as_u16(), 422);
    let unknown = send(
        &api,
        &patch(path, "application/apply-patch+yaml", json!({})),
    )
    .await
    .unwrap_err();
    assert_eq!(unknown.code.as_u16(), 415);
    let stale = json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 1}});
    let conflict = send(&api, &patch(path, MERGE, stale)).await.unwrap_err();
    assert_eq!(conflict.reason, "Conflict");
}

#[tokio::test]
async fn status_and_scale_are_parts_of_their_own() {
    let api = world().await;
    let mut body = deployment(2);
    body["status"] = json!({"readyReplicas": 7});
    let made = send(&api, &request(Verb::Create, "apps/v1/d/deployments", body))
        .await
        .unwrap();
    assert!(
        made["status"]["readyReplicas"].is_null(),
        "dropped on create"
    );
    let status = json!({"spec": {"replicas": 9}, "status": {"replicas": 1, "readyReplicas": 1}});
    let after = send(
        &api,
        &patch("apps/v1/d/deployments/n/status", MERGE, status),
    )
    .await
    .unwrap();
    assert_eq!(
        (
            &after["spec"]["replicas"],
            &after["status"]["readyReplicas"]
        ),
        (&json!(2), &json!(1))
    );
    let scale = send(
        &api,
        &patch(
            "apps/v1/d/deployments/n/scale",
            MERGE,
            json!({"spec": {"replicas": 4}}),
        ),
    )
    .await
    .unwrap();
    assert_eq!(
        (&scale["kind"], &scale["spec"]["replicas"]),
        (&json!("Scale"), &json!(4))
    );
    let read = send(
        &api,
        &request(Verb::Get, "apps/v1/d/deployments/n/scale", Value::Null),
    )
    .await
    .unwrap();
    assert_eq!(
        (&read["spec"]["replicas"], &read["status"]["selector"]),
        (&json!(4), &json!("a=b"))
    );
    let error = send(
        &api,
        &patch(
            "apps/v1/d/deployments/n/scale",
            MERGE,
            json!({"spec": {"replicas": -1}}),
        ),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code.as_u16(), 422);
}

#[tokio::test]
async fn finalizers_hold_an_object_until_the_last_is_gone() {
    let api = world().await;
    let mut body = config("x", "1");
    body["metadata"]["finalizers"] = json!(["a.io/one"]);
    send(&api, &request(Verb::Create, "/v1/d/configmaps", body))
        .await
        .unwrap();
    let held = send(
        &api,
        &request(Verb::Delete, "/v1/d/configmaps/x", Value::Null),
    )
    .await
    .unwrap();
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    let more = json!({"metadata": {"finalizers": ["a.io/one", "a.io/two"]}});
    let error = send(&api, &patch("/v1/d/configmaps/x", MERGE, more))
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("no new finalizers can be added if the object is being deleted"),
        "{error}"
    );
    send(
        &api,
        &patch(
            "/v1/d/configmaps/x",
            MERGE,
            json!({"metadata": {"finalizers": null}}),
        ),
    )
    .await
    .unwrap();
    let error = send(&api, &request(Verb::Get, "/v1/d/configmaps/x", Value::Null))
        .await
        .unwrap_err();
    assert_eq!(error.reason, "NotFound");
}

#[tokio::test]
async fn dry_runs_and_preconditions_change_nothing() {
    let api = world().await;
    let mut dry = request(Verb::Create, "/v1/d/configmaps", config("x", "1"));
    dry.query.0.push(("dryRun".into(), "All".into()));
    assert!(send(&api, &dry).await.unwrap()["metadata"]["uid"].is_string());
    assert!(
        send(&api, &request(Verb::Get, "/v1/d/configmaps/x", Value::Null))
            .await
            .is_err()
    );
    send(
        &api,
        &request(Verb::Create, "/v1/d/configmaps", config("x", "1")),
    )
    .await
    .unwrap();
    let options = json!({"preconditions": {"uid": "another"}});
    let error = send(&api, &request(Verb::Delete, "/v1/d/configmaps/x", options))
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("the UID in the precondition (another) does not match"),
        "{error}"
    );
    dry.query.0[0].1 = "Some".into();
    assert_eq!(send(&api, &dry).await.unwrap_err().code.as_u16(), 422);
}

#[tokio::test]
async fn concurrent_patches_all_count_and_concurrent_updates_conflict() {
    let api = world().await;
    let made = send(
        &api,
        &request(Verb::Create, "/v1/d/configmaps", config("x", "1")),
    )
    .await
    .unwrap();
    let patches = (0..10).map(|n| {
        let request = patch(
            "/v1/d/configmaps/x",
            MERGE,
            json!({"data": {format!("k{n}"): "v"}}),
        );
        let api = api.clone();
        async move { send(&api, &request).await }
    });
    assert!(join_all(patches).await.iter().all(Result::is_ok));
    let after = send(&api, &request(Verb::Get, "/v1/d/configmaps/x", Value::Null))
        .await
        .unwrap();
    assert_eq!(after["data"].as_object().unwrap().len(), 11);
    let mut replacement = config("x", "z");
    replacement["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    assert_eq!(
        send(
            &api,
            &request(Verb::Update, "/v1/d/configmaps/x", replacement)
        )
        .await
        .unwrap_err()
        .reason,
        "Conflict"
    );
}

#[tokio::test]
async fn collections_go_by_selector() {
    let api = world().await;
    for (name, label) in [("a", "1"), ("b", "1"), ("c", "2")] {
        let mut body = config(name, "1");
        body["metadata"]["labels"] = json!({"l": label});
        send(&api, &request(Verb::Create, "/v1/d/configmaps", body))
            .await
            .unwrap();
    }
    let mut some = request(Verb::DeleteCollection, "/v1/d/configmaps", Value::Null);
    some.query.0.push(("labelSelector".into(), "l=1".into()));
    assert_eq!(send(&api, &some).await.unwrap(), 2);
    assert_eq!(
        send(&api, &request(Verb::List, "/v1/d/configmaps", Value::Null))
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn services_get_addresses_that_stay() {
    let api = world().await;
    let body = |port: i64| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": port}]}})
    };
    let made = send(&api, &request(Verb::Create, "/v1/d/services", body(80)))
        .await
        .unwrap();
    let address = made["spec"]["clusterIP"].clone();
    assert!(address.as_str().unwrap().starts_with("10.96."), "{address}");
    let node_port = made["spec"]["ports"][0]["nodePort"].clone();
    assert!(node_port.as_u64().unwrap() >= 30_000);
    let after = send(&api, &request(Verb::Update, "/v1/d/services/s", body(80)))
        .await
        .unwrap();
    assert_eq!(
        (
            &after["spec"]["clusterIP"],
            &after["spec"]["ports"][0]["nodePort"]
        ),
        (&address, &node_port)
    );
    let error = send(
        &api,
        &patch(
            "/v1/d/services/s",
            MERGE,
            json!({"spec": {"clusterIP": "10.96.1.1"}}),
        ),
    )
    .await
    .unwrap_err();
    assert!(error.message.contains("may not change once set"), "{error}");
}

#[tokio::test]
async fn immortal_namespaces_stay_and_ending_ones_take_nothing() {
    let api = world().await;
    send(
        &api,
        &request(Verb::Create, "/v1//namespaces", namespace("default")),
    )
    .await
    .unwrap();
    let error = send(
        &api,
        &request(Verb::Delete, "/v1//namespaces/default", Value::Null),
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.message,
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
    let ending = send(
        &api,
        &request(Verb::Delete, "/v1//namespaces/d", Value::Null),
    )
    .await
    .unwrap();
    assert_eq!(ending["status"]["phase"], "Terminating");
    let error = send(
        &api,
        &request(Verb::Create, "/v1/d/configmaps", config("x", "1")),
    )
    .await
    .unwrap_err();
    assert_eq!(
        (error.code.as_u16(), error.details.causes[0].reason.as_str()),
        (403, "NamespaceTerminating")
    );
    let mut value = send(&api, &request(Verb::Get, "/v1//namespaces/d", Value::Null))
        .await
        .unwrap();
    value["spec"]["finalizers"] = json!([]);
    send(
        &api,
        &request(Verb::Update, "/v1//namespaces/d/finalize", value),
    )
    .await
    .unwrap();
    assert_eq!(
        send(&api, &request(Verb::Get, "/v1//namespaces/d", Value::Null))
            .await
            .unwrap_err()
            .reason,
        "NotFound"
    );
}
