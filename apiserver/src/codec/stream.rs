//! Watches on the wire: one event a line.

use std::sync::Arc;

use apiserver_store::Revision;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};

use super::negotiate::Shape;
use super::partial::partial;
use super::render::{object_bytes, row};
use super::table::{Printer, table};
use crate::api::Api;
use crate::kinds::Kind;
use crate::status::ApiError;
use crate::verbs::{WatchItem, WatchStream};

/// The events as lines. An event that cannot be rendered ends the stream with an `ERROR` event.
pub(super) fn lines(
    api: Api,
    kind: Arc<Kind>,
    version: Arc<str>,
    events: WatchStream,
    shape: Shape,
) -> BoxStream<'static, Bytes> {
    let writer = Writer {
        as_stored: (!kind.is_custom()).then(|| kind.api_version(&version)),
        api,
        kind,
        version,
        shape,
        printer: None,
    };
    futures::stream::unfold(Some((events, writer)), |state| async {
        let (mut events, mut writer) = state?;
        let item = events.next().await?;
        let last = matches!(item, WatchItem::Error(_));
        match writer.line(item).await {
            Ok(line) if last => Some((line, None)),
            Ok(line) => Some((line, Some((events, writer)))),
            Err(error) => Some((
                frame("ERROR", error.to_value().to_string().as_bytes()),
                None,
            )),
        }
    })
    .boxed()
}

struct Writer {
    api: Api,
    kind: Arc<Kind>,
    version: Arc<str>,
    shape: Shape,
    /// Objects that are stored at this version go out as they are.
    as_stored: Option<String>,
    printer: Option<Printer>,
}

impl Writer {
    async fn line(&mut self, item: WatchItem) -> Result<Bytes, ApiError> {
        let (event, object, revision) = match item {
            WatchItem::Added(object) => ("ADDED", Some(object), Revision::ZERO),
            WatchItem::Modified(object) => ("MODIFIED", Some(object), Revision::ZERO),
            WatchItem::Deleted { object, revision } => ("DELETED", Some(object), revision),
            WatchItem::Error(error) => {
                return Ok(frame("ERROR", error.to_value().to_string().as_bytes()));
            }
            WatchItem::Bookmark {
                revision,
                initial_events_end,
            } => {
                let value = self.bookmark(revision, initial_events_end);
                return Ok(frame(
                    "BOOKMARK",
                    self.shaped(value)?.to_string().as_bytes(),
                ));
            }
        };
        let Some(object) = object else {
            return Err(ApiError::internal("an event without an object"));
        };
        let revision = if revision == Revision::ZERO {
            object.revision
        } else {
            revision
        };
        let as_stored = self.as_stored.as_ref() == Some(&object.api_version);
        let bytes = match as_stored && object.revision == revision {
            true => object.bytes.clone(),
            false => object_bytes(&self.api, &self.kind, &self.version, &object, revision).await?,
        };
        if self.shape == Shape::Whole {
            return Ok(frame(event, &bytes));
        }
        let value = serde_json::from_slice(&bytes).map_err(ApiError::internal)?;
        Ok(frame(event, self.shaped(value)?.to_string().as_bytes()))
    }

    fn bookmark(&self, revision: Revision, initial_events_end: bool) -> Value {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_events_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        json!({
            "kind": &*self.kind.kind,
            "apiVersion": self.kind.api_version(&self.version),
            "metadata": metadata,
        })
    }

    fn shaped(&mut self, value: Value) -> Result<Value, ApiError> {
        Ok(match self.shape {
            Shape::Whole => value,
            Shape::Metadata(api_version) | Shape::MetadataList(api_version) => {
                partial(&value, api_version)
            }
            Shape::Table(api_version, include) => {
                let first = self.printer.is_none();
                let printer = match self.printer.take() {
                    Some(printer) => printer,
                    None => Printer::new(row(&self.kind, &self.version)?),
                };
                let printer = self.printer.insert(printer);
                let headings = first.then(|| printer.definitions());
                let rows = vec![printer.row(&value, include, api_version, self.api.seams.now())];
                let revision = crate::object::meta_str(&value, "resourceVersion");
                table(
                    api_version,
                    &json!({"resourceVersion": revision}),
                    headings,
                    rows,
                )
            }
        })
    }
}

fn frame(event: &str, object: &[u8]) -> Bytes {
    let mut line = Vec::with_capacity(object.len() + 40);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(event.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    line.into()
}
