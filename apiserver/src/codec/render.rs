//! Replies in the form that the client asked for.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::StatusCode;
use serde_json::{Value, json};

use super::negotiate::{Encoding, Format, Shape};
use super::partial::partial;
use super::stream;
use super::table::{Printer, table};
use crate::api::Api;
use crate::convert;
use crate::kinds::{Kind, KindVersion};
use crate::object::Obj;
use crate::status::ApiError;
use crate::verbs::{Body, Reply};

/// An answer, ready for the wire.
pub enum Rendered {
    /// All of it.
    Whole {
        /// Its status code.
        code: StatusCode,
        /// Its `Content-Type`.
        content_type: &'static str,
        /// Its body.
        bytes: Bytes,
    },
    /// A watch: one JSON document a line, for as long as it lasts.
    Stream {
        /// Its `Content-Type`.
        content_type: &'static str,
        /// Its body, an item an event.
        lines: BoxStream<'static, Bytes>,
    },
}

/// Renders a reply. `format` was negotiated before the request was carried out.
///
/// # Errors
/// 500 if an object cannot be converted to the version of the request.
pub async fn render(api: &Api, reply: Reply, format: Format) -> Result<Rendered, ApiError> {
    match reply {
        Reply::Plain { code, value } => write(code, &value, format),
        Reply::Object {
            code,
            kind,
            version,
            body,
        } => object(api, code, &kind, &version, body, format).await,
        Reply::List { .. } => list(api, reply, format).await,
        Reply::Watch {
            kind,
            version,
            events,
        } => Ok(Rendered::Stream {
            content_type: "application/json",
            lines: stream::lines(api.clone(), kind, version, events, format.shape),
        }),
    }
}

/// The version's row; versions were looked up when the request was routed.
pub(super) fn row<'a>(kind: &'a Kind, version: &str) -> Result<&'a KindVersion, ApiError> {
    kind.version(version).ok_or_else(ApiError::no_such_path)
}

fn write(code: StatusCode, value: &Value, format: Format) -> Result<Rendered, ApiError> {
    let (content_type, bytes) = match format.encoding {
        Encoding::Yaml => {
            let text = serde_saphyr::to_string(value).map_err(ApiError::internal)?;
            ("application/yaml", Bytes::from(text))
        }
        Encoding::Json if format.pretty => {
            let text = serde_json::to_string_pretty(value).map_err(ApiError::internal)?;
            ("application/json", Bytes::from(text))
        }
        Encoding::Json => ("application/json", Bytes::from(value.to_string())),
    };
    Ok(Rendered::Whole {
        code,
        content_type,
        bytes,
    })
}

/// May stored bytes go out as they are?
fn verbatim(format: Format) -> bool {
    format.shape == Shape::Whole && format.encoding == Encoding::Json && !format.pretty
}

fn json_bytes(code: StatusCode, bytes: Bytes) -> Rendered {
    Rendered::Whole {
        code,
        content_type: "application/json",
        bytes,
    }
}

async fn object(
    api: &Api,
    code: StatusCode,
    kind: &Arc<Kind>,
    version: &str,
    body: Body,
    format: Format,
) -> Result<Rendered, ApiError> {
    let value = match body {
        Body::Stored(stored) => {
            let bytes = convert::view_one(api, kind, version, &stored).await?;
            if verbatim(format) {
                return Ok(json_bytes(code, bytes));
            }
            parse(&bytes)?
        }
        Body::Value(value) => value,
    };
    let shaped = match format.shape {
        Shape::Whole => value,
        Shape::Metadata(api_version) | Shape::MetadataList(api_version) => {
            partial(&value, api_version)
        }
        Shape::Table(api_version, include) => {
            let printer = Printer::new(row(kind, version)?);
            let rows = vec![printer.row(&value, include, api_version, api.seams.now())];
            let revision = crate::object::meta_str(&value, "resourceVersion");
            let metadata = json!({"resourceVersion": revision});
            table(api_version, &metadata, Some(printer.definitions()), rows)
        }
    };
    write(code, &shaped, format)
}

fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(ApiError::internal)
}

async fn list(api: &Api, reply: Reply, format: Format) -> Result<Rendered, ApiError> {
    let Reply::List {
        kind,
        version,
        revision,
        items,
        continue_token,
        remaining,
    } = reply
    else {
        return Err(ApiError::internal("a list is a list"));
    };
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some(token) = continue_token {
        metadata["continue"] = token.into();
    }
    if let Some(count) = remaining {
        metadata["remainingItemCount"] = count.into();
    }
    let views = convert::view(api, &kind, &version, &items).await?;
    match format.shape {
        Shape::Whole => {
            let bytes = assemble(&kind, &version, &metadata, &views);
            if verbatim(format) {
                return Ok(json_bytes(StatusCode::OK, bytes));
            }
            write(StatusCode::OK, &parse(&bytes)?, format)
        }
        Shape::Metadata(api_version) | Shape::MetadataList(api_version) => {
            let items = views
                .iter()
                .map(|bytes| Ok(partial(&parse(bytes)?, api_version)))
                .collect::<Result<Vec<Value>, ApiError>>()?;
            let value = json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": api_version,
                "metadata": metadata,
                "items": items,
            });
            write(StatusCode::OK, &value, format)
        }
        Shape::Table(api_version, include) => {
            let printer = Printer::new(row(&kind, &version)?);
            let now = api.seams.now();
            let rows = views
                .iter()
                .map(|bytes| Ok(printer.row(&parse(bytes)?, include, api_version, now)))
                .collect::<Result<Vec<Value>, ApiError>>()?;
            let value = table(api_version, &metadata, Some(printer.definitions()), rows);
            write(StatusCode::OK, &value, format)
        }
    }
}

/// The list's JSON around the items' bytes, which are copied as they are.
fn assemble(kind: &Kind, version: &str, metadata: &Value, views: &[Bytes]) -> Bytes {
    let head = format!(
        "{{\"kind\":{},\"apiVersion\":{},\"metadata\":{metadata},\"items\":[",
        Value::from(&*kind.list_kind),
        Value::from(kind.api_version(version)),
    );
    let size = head.len() + 3 + views.iter().map(|view| view.len() + 1).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(head.as_bytes());
    for (index, view) in views.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(view);
    }
    out.extend_from_slice(b"]}\n");
    out.into()
}

/// The bytes of one stored object at a version, with another revision than its own if one is given.
///
/// # Errors
/// 500 if it cannot be converted.
pub(super) async fn object_bytes(
    api: &Api,
    kind: &Arc<Kind>,
    version: &str,
    object: &Arc<Obj>,
    revision: apiserver_store::Revision,
) -> Result<Bytes, ApiError> {
    let bytes = convert::view_one(api, kind, version, object).await?;
    if object.revision == revision {
        return Ok(bytes);
    }
    let mut value = parse(&bytes)?;
    crate::object::set_meta_str(&mut value, "resourceVersion", &revision.to_string());
    Ok(value.to_string().into())
}
