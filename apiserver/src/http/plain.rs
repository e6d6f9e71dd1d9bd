//! Answers as plain JSON, whatever form was asked for.

use bytes::Bytes;
use futures::StreamExt;
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};

use super::body::{self, Body};
use crate::api::Api;
use crate::convert;
use crate::status::ApiError;
use crate::verbs::{Body as Held, Reply, WatchItem};

/// Renders a reply.
///
/// # Errors
/// If an object cannot be converted.
pub(crate) async fn render(api: &Api, reply: Reply) -> Result<Response<Body>, ApiError> {
    match reply {
        Reply::Object {
            code,
            kind,
            version,
            body: held,
        } => match held {
            Held::Stored(object) => {
                let bytes = convert::view_one(api, &kind, &version, &object).await?;
                Ok(body::response(code, "application/json", bytes))
            }
            Held::Value(value) => Ok(body::json(code, &value)),
        },
        Reply::Plain { code, value } => Ok(body::json(code, &value)),
        Reply::List {
            kind,
            version,
            revision,
            items,
            continue_token,
            remaining,
        } => {
            let items = convert::view(api, &kind, &version, &items).await?;
            let items: Vec<Value> = items
                .iter()
                .map(|b| serde_json::from_slice(b).unwrap_or(Value::Null))
                .collect();
            let mut list = json!({"kind": &*kind.list_kind, "apiVersion": kind.api_version(&version),
                "metadata": {"resourceVersion": revision.to_string()}, "items": items});
            if let Some(token) = continue_token {
                list["metadata"]["continue"] = token.into();
            }
            if let Some(remaining) = remaining {
                list["metadata"]["remainingItemCount"] = remaining.into();
            }
            Ok(body::json(StatusCode::OK, &list))
        }
        Reply::Watch {
            kind,
            version,
            events,
        } => {
            let api = api.clone();
            let stream = events.then(move |item| {
                let (api, kind, version) = (api.clone(), kind.clone(), version.clone());
                async move {
                    let view = async |object| convert::view_one(&api, &kind, &version, object).await;
                    let (name, object) = match item {
                        WatchItem::Added(o) => ("ADDED", view(&o).await),
                        WatchItem::Modified(o) => ("MODIFIED", view(&o).await),
                        WatchItem::Deleted { object, revision } => (
                            "DELETED",
                            view(&object).await.map(|b| {
                                let mut v: Value = serde_json::from_slice(&b).unwrap_or_default();
                                v["metadata"]["resourceVersion"] = revision.to_string().into();
                                v.to_string().into()
                            }),
                        ),
                        WatchItem::Bookmark {
                            revision,
                            initial_events_end,
                        } => {
                            let mut v = json!({"kind": &*kind.kind,
                                "apiVersion": kind.api_version(&version),
                                "metadata": {"resourceVersion": revision.to_string(), "creationTimestamp": null}});
                            if initial_events_end {
                                v["metadata"]["annotations"] =
                                    json!({"k8s.io/initial-events-end": "true"});
                            }
                            ("BOOKMARK", Ok(v.to_string().into()))
                        }
                        WatchItem::Error(error) => ("ERROR", Ok(error.to_value().to_string().into())),
                    };
                    let object: Bytes =
                        object.unwrap_or_else(|e| e.to_value().to_string().into());
                    let line = format!(
                        "{{\"type\":\"{name}\",\"object\":{}}}\n",
                        String::from_utf8_lossy(&object)
                    );
                    Ok(Frame::data(Bytes::from(line)))
                }
            });
            let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
            response.headers_mut().insert(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static("application/json"),
            );
            Ok(response)
        }
    }
}
