//! What a converter may not change, and putting back what it may not have changed.
//!
//! Rules and texts are those of `k8s.io/apiextensions-apiserver/pkg/apiserver/conversion`.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::kinds::Kind;
use crate::object::meta_str;
use crate::status::ApiError;
use crate::verbs::validate_labels;

/// The converter's outputs with the metadata of the inputs, except for labels and annotations.
///
/// # Errors
/// 500 if the outputs do not belong to the inputs one by one, or are not at the version asked for.
pub(super) fn check(
    kind: &Kind,
    inputs: &[Value],
    outputs: Vec<Value>,
    api_version: &str,
) -> Result<Vec<Value>, ApiError> {
    let subject = subject(kind, inputs);
    if outputs.len() != inputs.len() {
        let (got, expected) = (outputs.len(), inputs.len());
        return Err(failure(format!(
            "conversion webhook for {subject} returned {got} objects, expected {expected}"
        )));
    }
    // Upstream words it differently for a list; a list of one object counts as one object here.
    let in_list = inputs.len() > 1;
    let pairs = inputs.iter().zip(outputs).enumerate();
    pairs
        .map(|(index, (input, mut output))| {
            let returned = |what: String, why: String| {
                failure(format!(
                    "conversion webhook for {subject} returned {what}: {why}"
                ))
            };
            let object = if in_list {
                "converted object"
            } else {
                "object"
            };
            let at = |what: &str| format!("invalid {what} at index {index}");
            same_version(input, &output, api_version).map_err(|why| returned(at(object), why))?;
            same_object(input, &output).map_err(|why| {
                returned(
                    if in_list {
                        at(object)
                    } else {
                        "invalid object".to_owned()
                    },
                    why,
                )
            })?;
            restore(input, &mut output).map_err(|why| {
                let what = if in_list {
                    at("metadata in object")
                } else {
                    "invalid metadata".to_owned()
                };
                returned(what, why)
            })?;
            Ok(output)
        })
        .collect()
}

/// What messages call the objects: `group/version, Kind=Kind` of the first one.
pub(super) fn subject(kind: &Kind, inputs: &[Value]) -> String {
    let version = inputs
        .first()
        .and_then(|object| object.get("apiVersion"))
        .and_then(Value::as_str);
    format!("{}, Kind={}", version.unwrap_or_default(), kind.kind)
}

/// A plain 500, as upstream gives it: without a reason.
pub(super) fn failure(message: String) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
}

fn same_version(input: &Value, output: &Value, api_version: &str) -> Result<(), String> {
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let version = text(output, "apiVersion");
    if version != api_version {
        return Err(format!(
            "invalid groupVersion (expected {api_version}, received {version})"
        ));
    }
    let (expected, got) = (text(input, "kind"), text(output, "kind"));
    if expected != got {
        return Err(format!(
            "invalid kind (expected {expected}, received {got})"
        ));
    }
    Ok(())
}

fn same_object(input: &Value, output: &Value) -> Result<(), String> {
    for (field, label) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
        let (expected, got) = (meta_str(input, field), meta_str(output, field));
        if expected != got {
            return Err(format!("must have the same {label}: {expected} != {got}"));
        }
    }
    Ok(())
}

fn restore(input: &Value, output: &mut Value) -> Result<(), String> {
    let Some(given) = output.get("metadata") else {
        return Err("missing metadata in converted object".to_owned());
    };
    let Some(given) = given.as_object() else {
        return Err("invalid metadata in converted object: not an object".to_owned());
    };
    let mut metadata: Map<String, Value> = input
        .get("metadata")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for field in ["labels", "annotations"] {
        match given.get(field) {
            None | Some(Value::Null) => {
                metadata.remove(field);
            }
            Some(Value::Object(entries)) => {
                if let Some((key, value)) = entries.iter().find(|(_, value)| !value.is_string()) {
                    let got = go_type(value);
                    return Err(format!(
                        "metadata.{field}[{key}] must be a string, but is {got} in converted object"
                    ));
                }
                if field == "labels"
                    && let Some(error) =
                        validate_labels(given.get(field), "metadata.labels").first()
                {
                    return Err(error.to_string());
                }
                metadata.insert(field.to_owned(), Value::Object(entries.clone()));
            }
            Some(_) => {
                return Err(format!(
                    "invalid metadata.{field} in converted object: not an object"
                ));
            }
        }
    }
    output["metadata"] = Value::Object(metadata);
    Ok(())
}

/// What Go's `%T` calls a value that was read from JSON.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() || number.is_u64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
