//! PATCH in its languages, as upstream answers it.

use super::*;

const A: &str = "/v1/ns/configmaps/a";

#[tokio::test]
async fn concurrent_patches_all_land_unless_they_name_a_revision() {
    let api = world().await;
    let made = post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    let patchers = (0..64).map(|n| {
        let api = api.clone();
        let body = json!({"data": {format!("k{n}"): "x"}});
        tokio::spawn(async move { send(&api, &patching(A, MERGE, body)).await })
    });
    for done in futures::future::join_all(patchers).await {
        done.unwrap().unwrap();
    }
    let data = get(&api, A).await.unwrap()["data"]
        .as_object()
        .unwrap()
        .len();
    assert_eq!(data, 65);
    let stale = json!({"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"z": "1"}});
    let error = send(&api, &patching(A, MERGE, stale)).await.unwrap_err();
    assert_eq!((error.code.as_u16(), error.reason), (409, "Conflict"));
}

#[tokio::test]
async fn patches_that_do_not_fit() {
    let api = world().await;
    post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    for (media_type, body, code, text) in [
        (
            JSON,
            json!([{"op": "test", "path": "/data/n", "value": "9"}]),
            422,
            "the server rejected our request due to an error in our request",
        ),
        (
            JSON,
            json!({"a": 1}),
            400,
            "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            STRATEGIC,
            json!({"metadata": {"$retainKeys": 1}}),
            400,
            "invalid patch format of retainKeys",
        ),
        (
            "application/apply-patch+yaml",
            json!({}),
            415,
            "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json",
        ),
        (
            "text/plain",
            json!({}),
            415,
            "the body of the request was in an unknown format - accepted media types include: ",
        ),
        (
            MERGE,
            json!({"data": {"n": 1}}),
            422,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
    ] {
        let error = send(&api, &patching(A, media_type, body))
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{}", error.message);
        assert!(error.message.contains(text), "{}", error.message);
    }
    let strict = patching(A, MERGE, json!({"extra": 1}));
    let strict = with_query(strict, &[("fieldValidation", "Strict")]);
    let error = send(&api, &strict).await.unwrap_err();
    assert_eq!(error.code, 422);
    assert!(
        error
            .message
            .ends_with("strict decoding error: unknown field \"extra\""),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn scale_reads_and_writes_replicas() {
    let api = world().await;
    post(&api, DEPLOYMENTS, deployment()).await.unwrap();
    let path = "apps/v1/ns/deployments/web/scale";
    let patch = patching(path, MERGE, json!({"spec": {"replicas": 8}}));
    let (_, scale) = send(&api, &patch).await.unwrap();
    assert_eq!(
        (&scale["kind"], &scale["spec"]["replicas"]),
        (&json!("Scale"), &json!(8))
    );
    let mut scale = get(&api, path).await.unwrap();
    assert_eq!(scale["status"]["selector"], "app=web");
    scale["spec"]["replicas"] = 2.into();
    put(&api, path, scale.clone()).await.unwrap();
    let object = get(&api, "apps/v1/ns/deployments/web").await.unwrap();
    assert_eq!(
        (
            &object["spec"]["replicas"],
            &object["metadata"]["generation"]
        ),
        (&json!(2), &json!(3))
    );
    assert_eq!(put(&api, path, scale.clone()).await.unwrap_err().code, 409);
    scale["metadata"]["resourceVersion"] = Value::Null;
    scale["spec"]["replicas"] = json!(-1);
    assert_eq!(put(&api, path, scale).await.unwrap_err().code, 422);
}

#[tokio::test]
async fn a_scale_must_be_an_object_of_that_name() {
    let api = world().await;
    post(&api, DEPLOYMENTS, deployment()).await.unwrap();
    let path = "apps/v1/ns/deployments/web/scale";
    let other = json!({"metadata": {"name": "other"}, "spec": {"replicas": 1}});
    for body in [json!([]), json!("x"), other] {
        let error = put(&api, path, body).await.unwrap_err();
        assert_eq!((error.code.as_u16(), error.reason), (400, "BadRequest"));
    }
    assert_eq!(get(&api, path).await.unwrap()["spec"]["replicas"], 3);
}

/// Lists and watch events put levels of their own around an object, and clients give up at 128.
#[tokio::test]
async fn objects_are_not_too_deep_for_those_who_list_them() {
    let api = world().await;
    let nested = (0..110).fold(json!("x"), |inner, _| json!([inner]));
    let mut body = configmap("deep");
    body["data"] = nested;
    let error = post(&api, CONFIGMAPS, body.clone()).await.unwrap_err();
    assert_eq!((error.code.as_u16(), error.reason), (400, "BadRequest"));
    assert!(error.message.contains("exceeded max depth"), "{error}");
    post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    let error = send(&api, &patching(A, MERGE, body)).await.unwrap_err();
    assert_eq!((error.code.as_u16(), error.reason), (422, "Invalid"));
}
