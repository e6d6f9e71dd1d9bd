//! POST, as upstream answers it.

use super::*;

#[tokio::test]
async fn the_server_fills_in_what_is_its_own() {
    let api = world().await;
    let made = post(&api, DEPLOYMENTS, deployment()).await.unwrap();
    let metadata = &made["metadata"];
    assert_eq!(metadata["namespace"], "ns");
    assert_eq!(metadata["generation"], 1);
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert!(metadata["creationTimestamp"].is_string() && metadata["resourceVersion"].is_string());
    assert_eq!(made["spec"]["strategy"]["type"], "RollingUpdate");
    assert!(made["spec"]["template"]["metadata"]["creationTimestamp"].is_null());
}

#[tokio::test]
async fn refusals_in_upstreams_words() {
    let api = world().await;
    post(&api, CONFIGMAPS, configmap("a")).await.unwrap();
    let with = |pointer: &str, value: Value| {
        let mut object = configmap("b");
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[field] = value;
        object
    };
    for (path, body, code, text) in [
        (
            CONFIGMAPS,
            configmap("a"),
            409,
            "configmaps \"a\" already exists",
        ),
        (
            "/v1/none/configmaps",
            configmap("b"),
            404,
            "namespaces \"none\" not found",
        ),
        (
            CONFIGMAPS,
            with("/metadata/namespace", json!("other")),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            CONFIGMAPS,
            with("/metadata/resourceVersion", json!("1")),
            500,
            "resourceVersion should not be set on objects to be created",
        ),
        (
            CONFIGMAPS,
            with("/metadata/name", json!("")),
            422,
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        (
            CONFIGMAPS,
            with("/metadata/labels", json!({"a": 1})),
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            CONFIGMAPS,
            with("/apiVersion", json!("v2")),
            400,
            "the API version in the data (v2) does not match the expected API version (v1)",
        ),
    ] {
        let error = post(&api, path, body).await.unwrap_err();
        assert_eq!((error.code.as_u16(), error.message.as_str()), (code, text));
    }
}

#[tokio::test]
async fn unknown_and_duplicate_fields_are_refused_warned_of_or_dropped() {
    let api = world().await;
    let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"},"extra":1}"#;
    let request = |directive: &str| {
        let mut request = testing::request(Verb::Create, CONFIGMAPS, Value::Null);
        request.body = body.into();
        with_query(
            request,
            &[("fieldValidation", directive), ("dryRun", "All")],
        )
    };
    let error = send(&api, &request("Strict")).await.unwrap_err();
    assert_eq!(
        (error.code.as_u16(), error.message.as_str()),
        (
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \"data.a\", unknown field \"extra\""
        )
    );
    let warned = request("Warn");
    let (_, value) = send(&api, &warned).await.unwrap();
    assert_eq!(value["data"], json!({"a": "2"}));
    assert!(value["extra"].is_null());
    assert_eq!(
        warned.warnings.texts(),
        ["duplicate field \"data.a\"", "unknown field \"extra\""]
    );
    let ignored = request("Ignore");
    send(&api, &ignored).await.unwrap();
    assert!(ignored.warnings.texts().is_empty());
    let error = send(&api, &request("Perhaps")).await.unwrap_err();
    assert_eq!(error.code, 422);
    assert!(
        get(&api, "/v1/ns/configmaps/x").await.is_err(),
        "dry runs store nothing"
    );
}

#[tokio::test]
async fn names_are_generated_and_do_not_collide() {
    let api = world().await;
    let mut body = configmap("");
    body["metadata"] = json!({"generateName": "job-"});
    let first = post(&api, CONFIGMAPS, body.clone()).await.unwrap();
    let second = post(&api, CONFIGMAPS, body).await.unwrap();
    let name = |made: &Value| made["metadata"]["name"].as_str().unwrap().to_owned();
    assert_ne!(name(&first), name(&second));
    assert!(name(&first).starts_with("job-") && name(&first).len() == 9);
}

#[tokio::test]
async fn yaml_bodies_are_read_too() {
    let api = world().await;
    let mut request = testing::request(Verb::Create, CONFIGMAPS, Value::Null);
    request.content_type = "application/yaml".to_owned();
    request.body =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: \"1\"}\n".into();
    let (_, made) = send(&api, &request).await.unwrap();
    assert_eq!(made["data"], json!({"a": "1"}));
}
