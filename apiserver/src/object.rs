//! Objects as the server holds them: JSON, with the few metadata fields that it interprets within reach.
//!
//! On the write path an object is a `serde_json::Value`; at rest and in the cache it is bytes. [`encode`] fixes the
//! canonical byte form (`kind`, `apiVersion`, `metadata` first, then the rest sorted; no `resourceVersion`), so that
//! [`Obj`] can put the revision in without parsing.

use std::sync::Arc;

use apiserver_store::{Key, Record, Revision};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::convert::Memo;
use crate::labels::Labels;

/// How many levels of maps and lists an object may have. JSON readers stop at 128 levels (serde_json, so every
/// kube-rs client), and lists, watch events and reviews put their own around an object: one that is deeper would
/// be a trap for whoever reads the collection that it is in.
pub const MAX_DEPTH: usize = 100;

/// Levels of maps and lists: 0 for a scalar. Its recursion is as deep as the value.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// `metadata` as a map; `None` where it is absent or not an object.
pub fn metadata(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata").and_then(Value::as_object)
}

/// `metadata` as a map, made if it is absent or not an object. `object` must be a JSON object.
pub fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    let meta = &mut object["metadata"];
    if !meta.is_object() {
        *meta = Value::Object(Map::new());
    }
    meta.as_object_mut().expect("was made an object above")
}

/// A string in `metadata`, or `""`.
pub fn meta_str<'a>(object: &'a Value, field: &str) -> &'a str {
    metadata(object)
        .and_then(|m| m.get(field))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Is this the object's `apiVersion`?
pub fn is_api_version(object: &Value, api_version: &str) -> bool {
    object.get("apiVersion").and_then(Value::as_str) == Some(api_version)
}

/// Sets a string in `metadata`, or removes the field if the text is empty.
pub fn set_meta_str(object: &mut Value, field: &str, text: &str) {
    let meta = metadata_mut(object);
    if text.is_empty() {
        meta.remove(field);
    } else {
        meta.insert(field.to_owned(), text.into());
    }
}

/// `metadata.name`, or `""`.
pub fn name(object: &Value) -> &str {
    meta_str(object, "name")
}

/// `metadata.namespace`, or `""`.
pub fn namespace(object: &Value) -> &str {
    meta_str(object, "namespace")
}

/// `metadata.generation`, or 0.
pub fn generation(object: &Value) -> i64 {
    metadata(object)
        .and_then(|m| m.get("generation"))
        .and_then(Value::as_i64)
        .unwrap_or(0)
}

/// `metadata.finalizers`; entries that are not strings are left out.
pub fn finalizers(object: &Value) -> Vec<&str> {
    metadata(object)
        .and_then(|m| m.get("finalizers"))
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// Is `metadata.deletionTimestamp` set?
pub fn is_terminating(object: &Value) -> bool {
    metadata(object)
        .and_then(|m| m.get("deletionTimestamp"))
        .is_some_and(|t| !t.is_null())
}

/// The canonical bytes of an object, without `metadata.resourceVersion` and `metadata.selfLink`: what the store keeps.
///
/// Two equal objects have equal bytes, so a write that changes nothing is found by comparing them.
pub fn encode(object: &Value) -> Bytes {
    let empty = Map::new();
    let fields = object.as_object().unwrap_or(&empty);
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"{\"kind\":");
    write_json(&mut out, fields.get("kind").unwrap_or(&Value::Null));
    out.extend_from_slice(b",\"apiVersion\":");
    write_json(&mut out, fields.get("apiVersion").unwrap_or(&Value::Null));
    out.extend_from_slice(b",\"metadata\":{");
    let mut first = true;
    for (field, value) in metadata(object).unwrap_or(&empty) {
        if field == "resourceVersion" || field == "selfLink" {
            continue;
        }
        write_field(&mut out, &mut first, field, value);
    }
    out.push(b'}');
    first = false;
    for (field, value) in fields {
        if !matches!(field.as_str(), "kind" | "apiVersion" | "metadata") {
            write_field(&mut out, &mut first, field, value);
        }
    }
    out.push(b'}');
    out.into()
}

fn write_field(out: &mut Vec<u8>, first: &mut bool, field: &str, value: &Value) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    write_json(out, &Value::String(field.to_owned()));
    out.push(b':');
    write_json(out, value);
}

fn write_json(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a JSON value always serialises into memory");
}

const METADATA: &[u8] = b"\"metadata\":{";

/// Puts `resourceVersion` into canonical bytes (see [`encode`]) without parsing them. Bytes of another form come back
/// re-serialised, or unchanged if they are not a JSON object.
pub fn splice_revision(canonical: &[u8], revision: Revision) -> Bytes {
    match metadata_offset(canonical) {
        Some(at) => {
            let field = format!("\"resourceVersion\":\"{revision}\"");
            let comma = canonical.get(at) != Some(&b'}');
            let mut out = Vec::with_capacity(canonical.len() + field.len() + 1);
            out.extend_from_slice(&canonical[..at]);
            out.extend_from_slice(field.as_bytes());
            if comma {
                out.push(b',');
            }
            out.extend_from_slice(&canonical[at..]);
            out.into()
        }
        None => match serde_json::from_slice::<Value>(canonical) {
            Ok(mut value) if value.is_object() => {
                set_meta_str(&mut value, "resourceVersion", &revision.to_string());
                value.to_string().into()
            }
            _ => Bytes::copy_from_slice(canonical),
        },
    }
}

/// Offset of the first byte inside `metadata`'s braces, if the bytes are in canonical form.
fn metadata_offset(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"{\"kind\":\"")?;
    let kind_end = rest.iter().position(|b| *b == b'"')?;
    let rest = rest[kind_end + 1..].strip_prefix(b",\"apiVersion\":\"")?;
    let version_end = rest.iter().position(|b| *b == b'"')?;
    let rest = rest[version_end + 1..]
        .strip_prefix(b",")?
        .strip_prefix(METADATA)?;
    Some(bytes.len() - rest.len())
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// `group/version` of the owner.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner, in the dependent's namespace or cluster-scoped.
    pub name: String,
    /// Uid of the owner: what counts.
    pub uid: String,
    /// Is the owner the managing controller?
    pub controller: Option<bool>,
    /// Must the owner wait for this object under foreground deletion?
    pub block_owner_deletion: Option<bool>,
}

/// The metadata that the server itself reads, taken out of the bytes once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`, 0 if absent.
    pub generation: i64,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.deletionTimestamp`, RFC 3339.
    pub deletion_timestamp: Option<String>,
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// `metadata.ownerReferences`.
    pub owner_references: Vec<OwnerReference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    metadata: Meta,
}

/// One object at one revision, shared between the cache and everything that answers from it.
#[derive(Debug)]
pub struct Obj {
    /// Where it is stored.
    pub key: Key,
    /// The revision of its last write: its `resourceVersion`. For the object of a deletion event, the deletion's own.
    pub revision: Revision,
    /// `apiVersion` of the stored form.
    pub api_version: String,
    /// What the server reads of its metadata.
    pub meta: Meta,
    /// The whole object as stored, `resourceVersion` included.
    pub bytes: Bytes,
    /// Its forms at other versions, as far as they were asked for.
    pub(crate) memo: Memo,
}

impl Obj {
    /// Takes an object as it came from the store.
    ///
    /// # Errors
    /// If the bytes are not a JSON object with well-formed metadata: the store was written by something else.
    pub fn from_store(
        key: Key,
        revision: Revision,
        value: &[u8],
    ) -> Result<Self, serde_json::Error> {
        let head: Head = serde_json::from_slice(value)?;
        Ok(Self {
            key,
            revision,
            api_version: head.api_version,
            meta: head.metadata,
            bytes: splice_revision(value, revision),
            memo: Memo::default(),
        })
    }

    /// As [`Obj::from_store`], for a record.
    ///
    /// # Errors
    /// As [`Obj::from_store`].
    pub fn from_record(record: &Record) -> Result<Self, serde_json::Error> {
        Self::from_store(record.key.clone(), record.revision, &record.value)
    }

    /// The object parsed, `resourceVersion` included.
    pub fn to_value(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("was parsed when it was taken from the store")
    }

    /// `metadata.name`.
    pub fn name(&self) -> &Arc<str> {
        &self.key.name
    }

    /// `metadata.namespace`, empty for cluster-scoped objects.
    pub fn namespace(&self) -> &Arc<str> {
        &self.key.namespace
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn encoding_is_canonical_and_takes_a_revision() {
        let object = json!({"data": {"a": "1"}, "metadata": {"name": "x", "resourceVersion": "7"},
            "kind": "ConfigMap", "apiVersion": "v1"});
        let bytes = encode(&object);
        assert_eq!(
            bytes,
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"a":"1"}}"#
        );
        let spliced: Value =
            serde_json::from_slice(&splice_revision(&bytes, Revision::new(9))).unwrap();
        assert_eq!(spliced["metadata"]["resourceVersion"], "9");
        assert_eq!(spliced["metadata"]["name"], "x");
    }

    #[test]
    fn depth_counts_maps_and_lists() {
        for (value, levels) in [
            (json!("x"), 0),
            (json!({}), 1),
            (json!({"a": 1, "b": [[{}]], "c": [1]}), 4),
        ] {
            assert_eq!(depth(&value), levels, "{value}");
        }
    }

    #[test]
    fn empty_metadata_and_foreign_bytes_take_a_revision_too() {
        for bytes in [
            &br#"{"kind":"A","apiVersion":"v1","metadata":{}}"#[..],
            br#"{"apiVersion":"v1","kind":"A"}"#,
            br#"{"kind":"we\"ird","apiVersion":"v1","metadata":{"x":1}}"#,
        ] {
            let spliced: Value =
                serde_json::from_slice(&splice_revision(bytes, Revision::new(3))).unwrap();
            assert_eq!(spliced["metadata"]["resourceVersion"], "3");
        }
    }
}
