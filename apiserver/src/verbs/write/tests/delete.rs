//! DELETE of one object and of many, as upstream answers it.

use super::*;

const A: &str = "/v1/ns/configmaps/a";

async fn delete(api: &Api, path: &str, options: Value) -> Result<Value, ApiError> {
    let request = testing::request(Verb::Delete, path, options);
    send(api, &request).await.map(|(_, value)| value)
}

#[tokio::test]
async fn what_nothing_holds_goes_at_once() {
    let api = world().await;
    let made = post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    let status = delete(&api, A, Value::Null).await.unwrap();
    assert_eq!(
        (&status["kind"], &status["status"]),
        (&json!("Status"), &json!("Success"))
    );
    assert_eq!(
        status["details"],
        json!({"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]})
    );
    let error = delete(&api, A, Value::Null).await.unwrap_err();
    assert_eq!(
        (error.code.as_u16(), error.message.as_str()),
        (404, "configmaps \"a\" not found")
    );
}

#[tokio::test]
async fn finalizers_hold_until_the_last_is_taken() {
    let api = world().await;
    let mut held = configmap("a");
    held["metadata"]["finalizers"] = json!(["x/1", "x/2"]);
    post(&api, CONFIGMAPS, held).await.unwrap();
    let marked = delete(&api, A, Value::Null).await.unwrap();
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(delete(&api, A, Value::Null).await.unwrap(), marked);
    let error = post(&api, CONFIGMAPS, configmap("a")).await.unwrap_err();
    assert_eq!(
        error.message,
        "object is being deleted: configmaps \"a\" already exists"
    );
    let more = json!({"metadata": {"finalizers": ["x/1", "x/2", "x/3"]}});
    let error = send(&api, &patching(A, MERGE, more)).await.unwrap_err();
    assert_eq!(
        error.message,
        "ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"x/3\"}"
    );
    let fewer = json!({"metadata": {"finalizers": ["x/2"]}});
    send(&api, &patching(A, MERGE, fewer)).await.unwrap();
    assert!(get(&api, A).await.is_ok());
    send(
        &api,
        &patching(A, MERGE, json!({"metadata": {"finalizers": null}})),
    )
    .await
    .unwrap();
    assert_eq!(get(&api, A).await.unwrap_err().code, 404);
}

#[tokio::test]
async fn preconditions_and_policies() {
    let api = world().await;
    post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    for preconditions in [json!({"uid": "u"}), json!({"resourceVersion": "1"})] {
        let error = delete(&api, A, json!({"preconditions": preconditions}))
            .await
            .unwrap_err();
        assert_eq!(error.code, 409);
        assert!(
            error.message.contains("in the precondition ("),
            "{}",
            error.message
        );
    }
    let error = delete(&api, A, json!({"propagationPolicy": "Maybe"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, 422);
    delete(&api, A, json!({"dryRun": ["All"]})).await.unwrap();
    let marked = delete(&api, A, json!({"propagationPolicy": "Foreground"}))
        .await
        .unwrap();
    assert_eq!(
        marked["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    delete(&api, A, json!({"propagationPolicy": "Background"}))
        .await
        .unwrap();
    assert_eq!(get(&api, A).await.unwrap_err().code, 404);
}

#[tokio::test]
async fn collections_go_by_selector() {
    let api = world().await;
    for n in 0..100 {
        let mut one = configmap(&format!("c{n}"));
        one["metadata"]["labels"] = json!({"even": (n % 2 == 0).to_string()});
        post(&api, CONFIGMAPS, one).await.unwrap();
    }
    let request = testing::request(Verb::DeleteCollection, CONFIGMAPS, Value::Null);
    let request = with_query(request, &[("labelSelector", "even=true")]);
    assert_eq!(send(&api, &request).await.unwrap().1, json!(50));
    api.cache.fresh().await.unwrap();
    assert_eq!(api.cache.list("/configmaps").objects.len(), 50);
}

#[tokio::test]
async fn immortal_namespaces_stay() {
    let api = world().await;
    post(&api, "/v1//namespaces", testing::namespace("default"))
        .await
        .unwrap();
    let error = delete(&api, "/v1//namespaces/default", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_u16(), error.message.as_str()),
        (
            403,
            "namespaces \"default\" is forbidden: this namespace may not be deleted"
        )
    );
}
