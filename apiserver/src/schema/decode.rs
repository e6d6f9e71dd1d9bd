//! What Go's decoder would refuse in a built-in object, in its words.
//!
//! Upstream decodes built-in kinds into structs, so a value of the wrong JSON type is no finding of validation (422) but a
//! request that cannot be understood (400). The text goes behind
//! `<Kind> in version "<version>" cannot be handled as a <Kind>: `.

use serde_json::Value;

use super::model::{Reference, Schema, ValueType, child_path};
use super::types::QUANTITY;
use super::validate::is_quantity;

impl Schema {
    /// Why Go could not decode the value into this built-in type; `None` if it could. Custom kinds have no such errors:
    /// their types are a matter of [`Schema::validate`].
    pub fn decode_error(&self, value: &Value) -> Option<String> {
        if !self.builtin {
            return None;
        }
        let owner = self.type_name().map_or("", short);
        walk(self, value, owner, "")
    }
}

/// `DeploymentSpec` of `io.k8s.api.apps.v1.DeploymentSpec`.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// `v1.DeploymentSpec` of the same.
fn qualified(name: &str) -> &str {
    let dot = name.rmatch_indices('.').nth(1);
    dot.map_or(name, |(at, _)| &name[at + 1..])
}

fn name_of(schema: &Schema) -> Option<&'static str> {
    schema
        .reference
        .as_ref()
        .map(Reference::name)
        .or(schema.type_name)
}

fn walk(schema: &Schema, value: &Value, owner: &str, path: &str) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if let Some(found) = mismatch(schema, value) {
        let wanted = go_type(schema);
        return Some(format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
        ));
    }
    match value {
        Value::String(text) => unreadable(schema, text),
        Value::Object(fields) => fields.iter().find_map(|(name, inner)| {
            let child = schema.child(name)?;
            let owner = name_of(schema).map_or(owner, short);
            // Go names fields only, not the keys of maps.
            match schema.property(name) {
                Some(_) => walk(child, inner, owner, &child_path(path, name)),
                None => walk(child, inner, owner, path),
            }
        }),
        Value::Array(items) => {
            let node = schema.items()?;
            items.iter().find_map(|item| walk(node, item, owner, path))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn mismatch(schema: &Schema, value: &Value) -> Option<String> {
    let fits = match schema.value_type() {
        _ if schema.is_int_or_string() => value.is_string() || value.is_i64(),
        _ if schema.format() == Some(QUANTITY) => value.is_string() || value.is_number(),
        ValueType::Any => true,
        ValueType::Object => value.is_object(),
        ValueType::Array => value.is_array(),
        ValueType::String => value.is_string(),
        ValueType::Boolean => value.is_boolean(),
        ValueType::Number => value.is_number(),
        ValueType::Integer => match schema.format() {
            Some("int32") => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            _ => value.is_i64(),
        },
    };
    if fits {
        return None;
    }
    Some(match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if schema.value_type() == ValueType::Integer => {
            format!("number {number}")
        }
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    })
}

/// A string of which the type makes something else.
fn unreadable(schema: &Schema, text: &str) -> Option<String> {
    match schema.format()? {
        QUANTITY if !is_quantity(text) => Some(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'".to_owned(),
        ),
        "date-time" if !super::validate::has_format("date-time", text) => {
            Some(format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""))
        }
        "byte" if !super::validate::has_format("byte", text) => Some("illegal base64 data at input byte 0".to_owned()),
        _ => None,
    }
}

fn go_type(schema: &Schema) -> String {
    if let Some(name) = name_of(schema).filter(|name| !name.ends_with(".MicroTime")) {
        return qualified(name).to_owned();
    }
    match schema.value_type() {
        ValueType::String => "string".to_owned(),
        ValueType::Boolean => "bool".to_owned(),
        ValueType::Number => "float64".to_owned(),
        ValueType::Integer => schema.format().unwrap_or("int64").to_owned(),
        ValueType::Array => format!("[]{}", schema.items().map(go_type).unwrap_or_default()),
        ValueType::Object => match schema.additional() {
            Some(values) => format!("map[string]{}", go_type(values)),
            None => "map[string]interface {}".to_owned(),
        },
        ValueType::Any => "interface {}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::schema::{Schema, builtin_type};

    #[test]
    fn errors_read_like_gos() {
        let deployment = builtin_type("io.k8s.api.apps.v1.Deployment").unwrap();
        let pod = |container| json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        for (object, expected) in [
            (
                json!({"spec": {"replicas": "2"}}),
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                json!({"spec": {"replicas": 1.5}}),
                "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                json!({"spec": []}),
                "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec",
            ),
            (
                json!({"metadata": {"labels": {"a": 1}}}),
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                pod(json!({"name": "c", "env": [{"name": "a", "value": 3}]})),
                "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
            ),
            (
                pod(json!({"ports": {}})),
                "json: cannot unmarshal object into Go struct field Container.spec.template.spec.containers.ports of type []v1.ContainerPort",
            ),
            (
                json!({"metadata": {"creationTimestamp": "soon"}}),
                "parsing time \"soon\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"soon\" as \"2006\"",
            ),
        ] {
            assert_eq!(deployment.decode_error(&object).as_deref(), Some(expected));
        }
        assert_eq!(
            deployment.decode_error(&json!({"spec": {"replicas": null}, "unknown": 1})),
            None
        );
        assert_eq!(Schema::preserving().decode_error(&json!({"kind": 1})), None);
    }
}
