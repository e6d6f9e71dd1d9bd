//! Holds the wire form against upstream's OpenAPI schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::generate::{Entry, Form};
use super::proto::Cardinality;

/// Fields that only one side has, as `type field`, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// What differs between a message and its schema, for people. `entries` resolve embedded messages.
pub(super) fn differences(
    name: &str,
    entries: &BTreeMap<String, Entry>,
    schema: &Value,
) -> Vec<String> {
    let mut wire = BTreeMap::new();
    flatten(name, entries, &mut wire);
    let nothing = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&nothing);
    let mut found = Vec::new();
    for (field, kind) in &wire {
        match properties.get(field) {
            None => found.push(format!("{name} {field}: not in the schema")),
            Some(property) if !fits(kind, property) => found.push(format!(
                "{name} {field}: {kind} on the wire, but the schema is {property}"
            )),
            Some(_) => {}
        }
    }
    let type_meta = ["apiVersion", "kind"];
    let is_kind = properties.contains_key("metadata") || !entries[name].kinds.is_empty();
    for field in properties.keys() {
        let expected = is_kind && type_meta.contains(&field.as_str());
        if !expected && !wire.contains_key(field) {
            found.push(format!("{name} {field}: not on the wire"));
        }
    }
    found.retain(|text| {
        !EXCEPTIONS
            .iter()
            .any(|(field, _)| text.starts_with(&format!("{field}:")))
    });
    found
}

/// The fields by JSON name, those of embedded messages among them.
fn flatten(name: &str, entries: &BTreeMap<String, Entry>, into: &mut BTreeMap<String, String>) {
    let Form::Message(fields) = &entries[name].form else {
        return;
    };
    for field in fields {
        if field.inline {
            flatten(&field.type_name, entries, into);
            continue;
        }
        let kind = match field.cardinality {
            Cardinality::One => field.type_name.clone(),
            Cardinality::Repeated => format!("[]{}", field.type_name),
            Cardinality::Map => format!("{{}}{}", field.type_name),
        };
        into.insert(field.json.clone(), kind);
    }
}

fn fits(kind: &str, schema: &Value) -> bool {
    if let Some(items) = kind.strip_prefix("[]") {
        return schema["type"] == "array" && fits(items, &schema["items"]);
    }
    if let Some(values) = kind.strip_prefix("{}") {
        return schema["type"] == "object" && fits(values, &schema["additionalProperties"]);
    }
    let (wanted_type, wanted_format) = match kind {
        "string" => return schema["type"] == "string" && schema["format"].is_null(),
        "bytes" => ("string", "byte"),
        "bool" => return schema["type"] == "boolean",
        "int32" => ("integer", "int32"),
        "int64" => ("integer", "int64"),
        "double" => ("number", "double"),
        message => {
            let list = schema["type"] == "array" && schema["items"]["type"] == "string";
            return schema["$ref"] == *message || (list && message.ends_with(".ExtraValue"));
        }
    };
    schema["type"] == wanted_type && schema["format"] == wanted_format
}
