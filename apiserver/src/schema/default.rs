//! Filling in defaults, and the forms that a decoder makes equal.
//!
//! For custom kinds the algorithm is that of `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting`: a default
//! stands in for an absent field and for a `null` that the schema does not allow; other such nulls are dropped. For
//! built-in kinds every `null` is an absent field, as in Go's decoding, and a number given as a quantity becomes a string.

use serde_json::Value;

use super::model::{Schema, ValueType};

impl Schema {
    /// Fills in defaults, in place. Doing it again changes nothing.
    ///
    /// Unlike upstream, the zero values that Go writes for fields without `omitempty` (`resources: {}`) are not added to
    /// built-in objects.
    pub fn default_fields(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                self.insert_defaults(fields);
                fields.retain(|name, inner| match self.child(name) {
                    Some(child) => {
                        if inner.is_null() && child.null_is_absent() {
                            return self.replace_null(name, child, inner);
                        }
                        child.normalise(inner);
                        child.default_fields(inner);
                        !self.leaves_out(name, child, inner)
                    }
                    None => true,
                });
            }
            Value::Array(list) => {
                let Some(items) = self.items() else { return };
                for inner in list {
                    if inner.is_null()
                        && !items.nullable
                        && let Some(default) = items.default_value()
                    {
                        *inner = default.clone();
                    }
                    items.normalise(inner);
                    items.default_fields(inner);
                }
            }
            _ => {}
        }
    }

    /// Go writes no empty map or list of a field that may be absent; an empty struct says something and stays.
    fn leaves_out(&self, name: &str, child: &Schema, inner: &Value) -> bool {
        let empty = match inner {
            Value::Array(list) => list.is_empty(),
            Value::Object(fields) => fields.is_empty() && child.additional().is_some(),
            _ => false,
        };
        empty
            && child.builtin
            && self.property(name).is_some()
            && !self.required().any(|required| required == name)
    }

    fn insert_defaults(&self, fields: &mut serde_json::Map<String, Value>) {
        for (name, property) in self.properties() {
            let Some(default) = property.default_value() else {
                continue;
            };
            match fields.get(name) {
                None => {
                    fields.insert(name.to_owned(), default.clone());
                }
                Some(Value::Null) if property.null_is_absent() => {
                    fields.insert(name.to_owned(), default.clone());
                }
                Some(_) => {}
            }
        }
    }

    /// What becomes of a null that stands for nothing: the entry of a built-in map becomes Go's zero value, any other
    /// field goes. `false` says that it goes.
    fn replace_null(&self, name: &str, child: &Schema, inner: &mut Value) -> bool {
        if self.property(name).is_some() {
            return false;
        }
        if let Some(default) = child.default_value() {
            *inner = default.clone();
            child.default_fields(inner);
            return true;
        }
        match child.value_type() {
            ValueType::String if child.builtin => *inner = Value::from(""),
            _ => return false,
        }
        true
    }

    fn normalise(&self, value: &mut Value) {
        if value.is_number() && self.is_quantity() {
            *value = Value::String(value.to_string());
        }
    }
}
