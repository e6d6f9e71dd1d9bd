//! ConfigMaps and Secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{default, map};
use crate::kinds::{Strategy, StrategyContext};
use crate::status::{FieldError, FieldErrorKind};

/// The sum of all values may be no larger, in bytes.
const MAX_SIZE: usize = 1 << 20;

pub(super) struct ConfigMaps;

impl Strategy for ConfigMaps {
    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut errors = frozen(object, old, &["data", "binaryData"]);
        errors.extend(keys(object, &["data", "binaryData"]));
        for key in object["data"]
            .as_object()
            .into_iter()
            .flat_map(|data| data.keys())
        {
            if object["binaryData"].get(key).is_some() {
                let detail = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid(
                    format!("data[{key}]"),
                    &key.as_str().into(),
                    detail,
                ));
            }
        }
        errors
    }

    fn tracks_generation(&self) -> bool {
        false
    }
}

pub(super) struct Secrets;

impl Strategy for Secrets {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        prepare(object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _context: &StrategyContext<'_>) {
        if object["type"].as_str().unwrap_or_default().is_empty() {
            object["type"] = old["type"].clone();
        }
        prepare(object);
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut errors = frozen(object, old, &["data"]);
        errors.extend(super::immutable(object, old, "/type", "type"));
        errors.extend(keys(object, &["data"]));
        for (key, value) in object["data"].as_object().into_iter().flatten() {
            let readable = value
                .as_str()
                .is_some_and(|text| STANDARD.decode(text).is_ok());
            if !readable {
                let path = format!("data[{key}]");
                errors.push(FieldError::new(
                    FieldErrorKind::Invalid,
                    path,
                    "",
                    "must be base64",
                ));
            }
        }
        super::secret_types::validate(object, &mut errors);
        errors
    }

    fn tracks_generation(&self) -> bool {
        false
    }
}

/// Moves `stringData` into `data`, and fills in the type.
fn prepare(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    default(fields, "type", "Opaque");
    if fields["type"] == "" {
        fields.insert("type".to_owned(), "Opaque".into());
    }
    if let Some(Value::Object(texts)) = fields.remove("stringData") {
        let data = map(object, "data");
        for (key, text) in texts {
            let text = text.as_str().unwrap_or_default();
            data.insert(key, STANDARD.encode(text).into());
        }
    }
}

/// Findings if an immutable object's data changed, or it became mutable again.
fn frozen(object: &Value, old: Option<&Value>, fields: &[&str]) -> Vec<FieldError> {
    let Some(old) = old.filter(|old| old["immutable"] == true) else {
        return Vec::new();
    };
    let detail = "field is immutable when `immutable` is set";
    let mut errors = Vec::new();
    if object["immutable"] != true {
        errors.push(FieldError::forbidden("immutable", detail));
    }
    for field in fields {
        if object[*field] != old[*field] {
            errors.push(FieldError::forbidden(*field, detail));
        }
    }
    errors
}

fn keys(object: &Value, fields: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut size = 0;
    for field in fields {
        for (key, value) in object[*field].as_object().into_iter().flatten() {
            size += value.as_str().map_or(0, str::len);
            let fits = !key.is_empty()
                && key.len() <= 253
                && key != "."
                && key != ".."
                && key
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
            if !fits {
                let detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
                let path = format!("{field}[{key}]");
                errors.push(FieldError::invalid(path, &key.as_str().into(), detail));
            }
        }
    }
    if size > MAX_SIZE {
        errors.push(FieldError::new(
            FieldErrorKind::TooLong,
            "",
            "",
            format!("may not be more than {MAX_SIZE} bytes"),
        ));
    }
    errors
}
