//! Answers as bytes, over a real store.

use std::sync::Arc;

use apiserver_store::{Key, Revision};
use futures::StreamExt;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Encoding, Format, Include, Rendered, Shape, render};
use crate::api::Api;
use crate::kinds::Kind;
use crate::object::{Obj, encode};
use crate::verbs::{Body, Reply, WatchItem};

fn object(name: &str, revision: u64) -> Arc<Obj> {
    let value = json!({"kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "d", "creationTimestamp": "2024-01-01T00:00:00Z"},
        "data": {"a": "1"}});
    let key = Key::new("/configmaps", "d", name);
    Arc::new(Obj::from_store(key, Revision::new(revision), &encode(&value)).unwrap())
}

async fn world() -> (Api, Arc<Kind>) {
    let api = crate::testing::api().await;
    let kind = api
        .registry
        .kinds()
        .resource("", "configmaps")
        .unwrap()
        .clone();
    (api, kind)
}

async fn whole(api: &Api, reply: Reply, shape: Shape, encoding: Encoding) -> (StatusCode, String) {
    let format = Format {
        encoding,
        shape,
        pretty: false,
    };
    match render(api, reply, format).await.unwrap() {
        Rendered::Whole { code, bytes, .. } => (code, String::from_utf8(bytes.to_vec()).unwrap()),
        Rendered::Stream { .. } => panic!("not a stream"),
    }
}

fn list(kind: &Arc<Kind>) -> Reply {
    Reply::List {
        kind: kind.clone(),
        version: "v1".into(),
        revision: Revision::new(9),
        items: vec![object("a", 3), object("b", 4)],
        continue_token: Some("t".to_owned()),
        remaining: Some(5),
    }
}

#[tokio::test]
async fn lists_take_every_shape() {
    let (api, kind) = world().await;
    let (_, text) = whole(&api, list(&kind), Shape::Whole, Encoding::Json).await;
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["kind"], "ConfigMapList");
    assert_eq!(
        value["metadata"],
        json!({"resourceVersion": "9", "continue": "t", "remainingItemCount": 5})
    );
    assert_eq!(value["items"][1]["metadata"]["resourceVersion"], "4");
    let shape = Shape::Table("meta.k8s.io/v1", Include::Metadata);
    let (_, text) = whole(&api, list(&kind), shape, Encoding::Json).await;
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["rows"].as_array().unwrap().len(), 2);
    assert_eq!(value["rows"][0]["cells"][0], "a");
    assert_eq!(value["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(value["columnDefinitions"][0]["name"], "Name");
    let shape = Shape::MetadataList("meta.k8s.io/v1");
    let (_, text) = whole(&api, list(&kind), shape, Encoding::Yaml).await;
    assert!(
        text.contains("kind: PartialObjectMetadataList")
            && !text.contains("\ndata:")
            && !text.contains("  data:"),
        "{text}"
    );
}

#[tokio::test]
async fn one_object_goes_out_as_it_is_stored() {
    let (api, kind) = world().await;
    let stored = object("a", 3);
    let reply = Reply::Object {
        code: StatusCode::CREATED,
        kind,
        version: "v1".into(),
        body: Body::Stored(stored.clone()),
    };
    let (code, text) = whole(&api, reply, Shape::Whole, Encoding::Json).await;
    assert_eq!(
        (code, text.as_bytes()),
        (StatusCode::CREATED, &stored.bytes[..])
    );
}

#[tokio::test]
async fn a_watch_is_a_line_an_event() {
    let (api, kind) = world().await;
    let items = vec![
        WatchItem::Added(object("a", 3)),
        WatchItem::Deleted {
            object: object("a", 3),
            revision: Revision::new(7),
        },
        WatchItem::Bookmark {
            revision: Revision::new(8),
            initial_events_end: true,
        },
        WatchItem::Error(crate::status::ApiError::expired("too old")),
        WatchItem::Added(object("never", 9)),
    ];
    let reply = |items: Vec<WatchItem>| Reply::Watch {
        kind: kind.clone(),
        version: "v1".into(),
        events: futures::stream::iter(items).boxed(),
    };
    let lines = |rendered| async {
        let Rendered::Stream { lines, .. } = rendered else {
            panic!("a stream")
        };
        let lines: Vec<Value> = lines
            .map(|l| serde_json::from_slice(&l).unwrap())
            .collect()
            .await;
        lines
    };
    let events = lines(
        render(&api, reply(items.clone()), Format::JSON)
            .await
            .unwrap(),
    )
    .await;
    let types: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ADDED", "DELETED", "BOOKMARK", "ERROR"]);
    assert_eq!(events[1]["object"]["metadata"]["resourceVersion"], "7");
    assert_eq!(events[2]["object"]["kind"], "ConfigMap");
    assert_eq!(
        events[2]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(events[3]["object"]["code"], 410);
    let format = Format {
        shape: Shape::Table("meta.k8s.io/v1", Include::None),
        ..Format::JSON
    };
    let events = lines(render(&api, reply(items), format).await.unwrap()).await;
    assert!(
        !events[0]["object"]["columnDefinitions"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(events[1]["object"]["columnDefinitions"].is_null());
}
