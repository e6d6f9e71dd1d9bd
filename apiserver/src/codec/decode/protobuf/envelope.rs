//! What is around an object: the magic number and `runtime.Unknown`.

use serde_json::{Map, Value};

use super::message::Decoder;
use super::table::Table;
use super::wire::{Reader, WireError};
use crate::codec::decode::{Decoded, Expected, Unreadable};

/// What every body begins with.
const PREFIX: &[u8] = b"k8s\0";

/// `runtime.Unknown`. Its content encoding and content type are read over, as upstream does.
#[derive(Debug, Default)]
struct Unknown<'a> {
    api_version: &'a str,
    kind: &'a str,
    raw: &'a [u8],
}

/// Decodes a body. What it does not say of its kind is as expected.
pub(in crate::codec::decode) fn from_protobuf(
    body: &[u8],
    expected: Expected<'_>,
) -> Result<Decoded, Unreadable> {
    let data = match body.strip_prefix(PREFIX) {
        _ if body.is_empty() => return Err(Unreadable::new("empty data")),
        None => {
            return Err(Unreadable::new(format!(
                "provided data does not appear to be a protobuf message, expected prefix {}",
                "[107 56 115 0]"
            )));
        }
        Some([]) => return Err(Unreadable::new("empty body")),
        Some(data) => data,
    };
    let unknown = unknown(data).map_err(|error| Unreadable::new(error.to_string()))?;
    let or = |given, otherwise| match given {
        "" => otherwise,
        _ => given,
    };
    let api_version = or(unknown.api_version, expected.api_version);
    let kind = or(unknown.kind, expected.kind);
    let unreadable = |why: String| Unreadable::of_kind(why, api_version, kind);
    let table = Table::get();
    let id = table.kind(api_version, kind).ok_or_else(|| {
        unreadable(format!(
            "no kind \"{kind}\" is registered for version \"{api_version}\""
        ))
    })?;
    let mut object = Map::new();
    Decoder::new(table)
        .message(id, unknown.raw, 1, &mut object)
        .map_err(|error| unreadable(error.to_string()))?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Decoded {
        value: Value::Object(object),
        complaints: Vec::new(),
    })
}

fn unknown(bytes: &[u8]) -> Result<Unknown<'_>, WireError> {
    let mut unknown = Unknown::default();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => {
                let mut reader = Reader::new(wire.bytes("typeMeta")?);
                while let Some((number, wire)) = reader.field()? {
                    match number {
                        1 => unknown.api_version = wire.text("apiVersion")?,
                        2 => unknown.kind = wire.text("kind")?,
                        _ => {}
                    }
                }
            }
            2 => unknown.raw = wire.bytes("raw")?,
            _ => {}
        }
    }
    Ok(unknown)
}
