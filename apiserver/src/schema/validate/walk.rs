//! The walk over a value and its schema.

use serde_json::{Map, Value};

use super::{format, junction, scalar};
use crate::schema::model::{ListType, Schema, ValueType, child_path};
use crate::status::{FieldError, FieldErrorKind};

/// The findings of one walk.
#[derive(Default)]
pub(super) struct Walk {
    errors: Vec<FieldError>,
    /// Inside the status of a built-in object: Go writes zero values for what is missing there.
    lenient: bool,
}

impl Walk {
    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    pub(super) fn push(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// Checks `value` and all below it. Where `old` equals it, nothing is said.
    pub(super) fn check(
        &mut self,
        schema: &Schema,
        value: &Value,
        old: Option<&Value>,
        path: &str,
    ) {
        if old == Some(value) || self.absent(schema, value) {
            return;
        }
        if !self.check_type(schema, value, path) {
            return;
        }
        junction::check(self, schema, value, path);
        match value {
            Value::String(text) => self.check_string(schema, value, text, path),
            Value::Number(_) => scalar::check_number(self, schema, value, path),
            Value::Array(items) => self.check_items(schema, items, old, path),
            _ => {}
        }
        scalar::check_enumeration(self, schema, value, path);
        if let Value::Object(fields) = value {
            self.check_fields(schema, fields, old.and_then(Value::as_object), path);
        }
    }

    fn absent(&self, schema: &Schema, value: &Value) -> bool {
        value.is_null() && schema.builtin
    }

    fn check_type(&mut self, schema: &Schema, value: &Value, path: &str) -> bool {
        let Some(found) = type_mismatch(schema, value) else {
            return true;
        };
        let wanted = wanted_types(schema);
        self.push(FieldError::new(
            FieldErrorKind::TypeInvalid,
            path,
            Value::from(found).to_string(),
            format!("{path} in body must be of type {wanted}: {found:?}"),
        ));
        false
    }

    fn check_string(&mut self, schema: &Schema, value: &Value, text: &str, path: &str) {
        scalar::check_string(self, schema, value, text, path);
        if let Some(format) = schema.format()
            && !format::matches(format, text)
        {
            let detail = format!("{path} in body must be of type {format}: {value}");
            self.push(FieldError::new(
                FieldErrorKind::TypeInvalid,
                path,
                value.to_string(),
                detail,
            ));
        }
        if schema.is_quantity() && !format::is_quantity(text) {
            let detail = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
            self.push(FieldError::invalid(path, value, detail));
        }
    }

    fn check_items(&mut self, schema: &Schema, items: &[Value], old: Option<&Value>, path: &str) {
        if let Some(node) = schema.items() {
            let keys = match schema.list_type() {
                ListType::Map => schema.list_map_keys(),
                _ => &[],
            };
            let before = old
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            for (index, item) in items.iter().enumerate() {
                let same =
                    |other: &&Value| keys.iter().all(|key| other.get(&**key) == item.get(&**key));
                let old_item = if keys.is_empty() {
                    None
                } else {
                    before.iter().find(same)
                };
                self.check(node, item, old_item, &format!("{path}[{index}]"));
            }
        }
        let rules = schema.rules();
        let count = items.len() as u64;
        if let Some(least) = rules.min_items.filter(|least| count < *least) {
            let detail = format!("{path} in body should have at least {least} items");
            self.push(FieldError::invalid(path, &count.into(), detail));
        }
        if let Some(most) = rules.max_items.filter(|most| count > *most) {
            self.push(too_many(path, count, most));
        }
    }

    fn check_fields(
        &mut self,
        schema: &Schema,
        fields: &Map<String, Value>,
        old: Option<&Map<String, Value>>,
        path: &str,
    ) {
        let rules = schema.rules();
        let count = fields.len() as u64;
        if let Some(least) = rules.min_properties.filter(|least| count < *least) {
            let detail = format!("{path} in body should have at least {least} properties");
            self.push(FieldError::invalid(path, &count.into(), detail));
        }
        if let Some(most) = rules.max_properties.filter(|most| count > *most) {
            self.push(too_many(path, count, most));
        }
        if schema.is_embedded_resource() {
            self.check_embedded(fields, path);
        }
        for (name, value) in fields {
            let Some(child) = schema.child(name) else {
                continue;
            };
            let old_value = old.and_then(|old| old.get(name));
            let enters_status = schema.builtin && path.is_empty() && name == "status";
            let outer = self.lenient;
            self.lenient |= enters_status;
            self.check(child, value, old_value, &child_path(path, name));
            self.lenient = outer;
        }
        // Owner references are judged with the rest of metadata.
        let judged = schema.builtin && path.starts_with("metadata.");
        if self.lenient || judged {
            return;
        }
        for name in schema.required() {
            let missing = match fields.get(name) {
                None => true,
                Some(value) => schema.builtin && (value.is_null() || *value == ""),
            };
            if missing {
                self.push(FieldError::required(child_path(path, name), ""));
            }
        }
    }

    fn check_embedded(&mut self, fields: &Map<String, Value>, path: &str) {
        for name in ["apiVersion", "kind"] {
            if fields
                .get(name)
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
            {
                self.push(FieldError::required(
                    child_path(path, name),
                    "must not be empty",
                ));
            }
        }
    }
}

fn too_many(path: &str, actual: u64, most: u64) -> FieldError {
    FieldError::new(
        FieldErrorKind::TooMany,
        path,
        actual.to_string(),
        format!("must have at most {most} items"),
    )
}

fn wanted_types(schema: &Schema) -> &'static str {
    if schema.is_int_or_string() {
        return "integer,string";
    }
    if schema.is_quantity() {
        "string,number"
    } else {
        schema.value_type().as_str()
    }
}

/// The type of the value, if the schema does not allow it.
fn type_mismatch(schema: &Schema, value: &Value) -> Option<&'static str> {
    let found = type_name(value);
    let fits = if schema.is_int_or_string() {
        is_integer(value) || value.is_string()
    } else if schema.is_quantity() {
        value.is_string() || value.is_number()
    } else {
        match schema.value_type() {
            ValueType::Any => true,
            ValueType::Object => value.is_object(),
            ValueType::Array => value.is_array(),
            ValueType::String => value.is_string(),
            ValueType::Boolean => value.is_boolean(),
            ValueType::Number => value.is_number(),
            ValueType::Integer => is_integer(value),
        }
    };
    let allowed = fits || (value.is_null() && schema.nullable);
    (!allowed).then_some(found)
}

/// Integers, and floats without a fraction.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
