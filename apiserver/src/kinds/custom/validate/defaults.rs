//! Defaults must be values that the schema itself accepts and keeps.

use serde_json::Value;

use crate::schema::Schema;
use crate::status::FieldError;

/// Checks the defaults of a schema that is structural.
pub(super) fn check(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Ok(parsed) = Schema::from_crd(schema) else {
        return;
    };
    walk(&parsed, schema, path, errors);
}

fn walk(parsed: &Schema, raw: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (name, node) in raw
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(child) = parsed.property(name).filter(|child| !child.is_builtin()) {
            one(child, node, &format!("{path}.properties[{name}]"), errors);
        }
    }
    if let (Some(child), Some(node)) = (parsed.items(), raw.get("items")) {
        one(child, node, &format!("{path}.items"), errors);
    }
    if let (Some(child), Some(node)) = (parsed.additional(), raw.get("additionalProperties")) {
        one(child, node, &format!("{path}.additionalProperties"), errors);
    }
}

fn one(parsed: &Schema, raw: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(default) = parsed.default_value() {
        let path = format!("{path}.default");
        let mut value = default.clone();
        let unknown = parsed.prune(&mut value);
        if !unknown.is_empty() {
            let why = "must not have unknown fields";
            errors.push(FieldError::invalid(path.clone(), default, why));
        }
        parsed.default_fields(&mut value);
        errors.extend(parsed.validate_at(&value, &path));
    }
    walk(parsed, raw, path, errors);
}
