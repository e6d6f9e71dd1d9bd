//! `x-kubernetes-list-type`: sets and maps hold nothing twice.

use serde_json::{Map, Value};

use crate::schema::model::{ListType, Schema, child_path};
use crate::status::{FieldError, FieldErrorKind};

/// Duplicates in all lists below.
pub(super) fn check(schema: &Schema, value: &Value) -> Vec<FieldError> {
    check_at(schema, value, "")
}

pub(super) fn check_at(schema: &Schema, value: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(schema, value, path, &mut errors);
    errors
}

fn walk(schema: &Schema, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if schema.builtin {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if let Some(child) = schema.child(name) {
                    walk(child, inner, &child_path(path, name), errors);
                }
            }
        }
        Value::Array(items) => {
            match schema.list_type() {
                ListType::Atomic => {}
                ListType::Set => check_set(items, path, errors),
                ListType::Map => check_map(schema, items, path, errors),
            }
            if let Some(node) = schema.items() {
                for (index, item) in items.iter().enumerate() {
                    walk(node, item, &format!("{path}[{index}]"), errors);
                }
            }
        }
        _ => {}
    }
}

fn check_set(items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    for (index, item) in items.iter().enumerate() {
        if items[..index].contains(item) {
            errors.push(duplicate(format!("{path}[{index}]"), item));
        }
    }
}

fn check_map(schema: &Schema, items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<Value> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(fields) = item else {
            errors.push(FieldError::invalid(
                path,
                item,
                "must be an object for an array of list-type map",
            ));
            continue;
        };
        let keys: Map<String, Value> = schema
            .list_map_keys()
            .iter()
            .filter_map(|key| Some((key.to_string(), fields.get(&**key)?.clone())))
            .collect();
        let keys = Value::Object(keys);
        if seen.contains(&keys) {
            errors.push(duplicate(path, &keys));
        } else {
            seen.push(keys);
        }
    }
}

fn duplicate(path: String, value: &Value) -> FieldError {
    FieldError::new(FieldErrorKind::Duplicate, path, value.to_string(), "")
}
