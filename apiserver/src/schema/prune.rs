//! Unknown fields: which they are, and dropping them.
//!
//! For custom kinds the algorithm is that of `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning`, except that
//! metadata is covered by its built-in type in the same walk. What is reported is sorted.

use serde_json::Value;

use super::model::{Schema, ValueType, child_path};

impl Schema {
    /// Drops every field that the schema does not know and returns the paths of what was dropped, sorted, such as
    /// `spec.containers[0].imagee`. Doing it again drops nothing more.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        let mut dropped = Vec::new();
        prune(self, value, "", &mut dropped);
        dropped.sort();
        dropped
    }

    /// What [`Schema::prune`] would drop.
    pub fn unknown_fields(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        find(self, value, "", &mut found);
        found.sort();
        found
    }

    /// The schema of a field; `Err` if the field is unknown, `Ok(None)` if it and all below it is kept as it is.
    fn field(&self, name: &str) -> Result<Option<&Schema>, ()> {
        match self.child(name) {
            Some(schema) => Ok(Some(schema)),
            None if self.keeps_everything() => Ok(None),
            None => Err(()),
        }
    }

    /// Are undescribed fields kept? A built-in field of no particular shape keeps them, and so does what is a scalar anyway.
    fn keeps_everything(&self) -> bool {
        self.preserves_unknown_fields()
            || (self.builtin
                && !self.is_loose()
                && !matches!(self.value_type(), ValueType::Object | ValueType::Array))
    }
}

fn prune(schema: &Schema, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.retain(|name, inner| match schema.field(name) {
            Ok(Some(child)) => {
                if is_container(inner) {
                    prune(child, inner, &child_path(path, name), dropped);
                }
                true
            }
            Ok(None) => true,
            Err(()) => {
                dropped.push(child_path(path, name));
                false
            }
        }),
        Value::Array(list) => match schema.items() {
            Some(items) => {
                for (index, inner) in list.iter_mut().enumerate() {
                    if is_container(inner) {
                        prune(items, inner, &format!("{path}[{index}]"), dropped);
                    }
                }
            }
            None if schema.keeps_everything() => {}
            None => {
                for (index, inner) in list.iter_mut().enumerate() {
                    if let Value::Object(fields) = inner {
                        dropped.extend(fields.keys().map(|name| format!("{path}[{index}].{name}")));
                        fields.clear();
                    }
                }
            }
        },
        _ => {}
    }
}

fn find(schema: &Schema, value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match schema.field(name) {
                    Ok(Some(child)) if is_container(inner) => {
                        find(child, inner, &child_path(path, name), found)
                    }
                    Ok(_) => {}
                    Err(()) => found.push(child_path(path, name)),
                }
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                match schema.items() {
                    Some(items) => find(items, inner, &format!("{path}[{index}]"), found),
                    None if schema.keeps_everything() => {}
                    None => {
                        let names = inner
                            .as_object()
                            .into_iter()
                            .flat_map(|fields| fields.keys());
                        found.extend(names.map(|name| format!("{path}[{index}].{name}")));
                    }
                }
            }
        }
        _ => {}
    }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_))
}
