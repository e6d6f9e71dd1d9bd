//! The write verbs over a real store in memory, held to upstream's answers.

mod apply;
mod create;
mod delete;
mod lifetimes;
mod patch;
mod update;

use serde_json::{Value, json};

use crate::api::Api;
use crate::convert;
use crate::request::{Query, Request, Verb};
use crate::status::ApiError;
use crate::testing;
use crate::verbs::{Body, Reply};

/// A server's state with namespace `ns`.
async fn world() -> Api {
    let api = testing::api().await;
    post(&api, "/v1//namespaces", testing::namespace("ns"))
        .await
        .unwrap();
    api
}

async fn send(api: &Api, request: &Request) -> Result<(u16, Value), ApiError> {
    let (kind, version) = api.route(&request.path)?;
    match api.call(request, &kind, &version).await? {
        Reply::Object { code, body, .. } => {
            let value = match body {
                Body::Value(value) => value,
                Body::Stored(object) => {
                    let bytes = convert::view_one(api, &kind, &version, &object).await?;
                    serde_json::from_slice(&bytes).unwrap()
                }
            };
            Ok((code.as_u16(), value))
        }
        Reply::Plain { code, value } => Ok((code.as_u16(), value)),
        Reply::List { items, .. } => Ok((200, json!(items.len()))),
        Reply::Watch { .. } => panic!("a write answers with a watch"),
    }
}

fn with_query(mut request: Request, query: &[(&str, &str)]) -> Request {
    let pairs = query
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    request.query = Query(pairs.collect());
    request
}

async fn post(api: &Api, path: &str, body: Value) -> Result<Value, ApiError> {
    let (code, value) = send(api, &testing::request(Verb::Create, path, body)).await?;
    assert_eq!(code, 201);
    Ok(value)
}

async fn put(api: &Api, path: &str, body: Value) -> Result<Value, ApiError> {
    let request = testing::request(Verb::Update, path, body);
    send(api, &request).await.map(|(_, value)| value)
}

async fn get(api: &Api, path: &str) -> Result<Value, ApiError> {
    api.cache.fresh().await?;
    let request = testing::request(Verb::Get, path, Value::Null);
    send(api, &request).await.map(|(_, value)| value)
}

fn patching(path: &str, media_type: &str, body: Value) -> Request {
    let mut request = testing::request(Verb::Patch, path, body);
    request.content_type = media_type.to_owned();
    request
}

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

fn configmap(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": "0"}})
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}, "creationTimestamp": null},
            "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27",
                "ports": [{"containerPort": 80}]}]}}}})
}

const CONFIGMAPS: &str = "/v1/ns/configmaps";
const DEPLOYMENTS: &str = "apps/v1/ns/deployments";
