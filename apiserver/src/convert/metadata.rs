//! What a converter may not change, and putting back what it may not have changed.
//!
//! Rules and texts are those of `k8s.io/apiextensions-apiserver/pkg/apiserver/conversion`.

use http::StatusCode;
use serde_json::{Map, Value};

use crate::kinds::Kind;
use crate::object::meta_str;
use crate::status::ApiError;

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
    let pairs = inputs.iter().zip(outputs).enumerate();
    pairs
        .map(|(index, (input, mut output))| {
            same_object(input, &output, api_version).map_err(|why| {
                failure(format!(
                    "conversion webhook for {subject} returned invalid converted object at index {index}: {why}"
                ))
            })?;
            restore(input, &mut output).map_err(|why| {
                failure(format!(
                    "conversion webhook for {subject} returned invalid metadata in object at index {index}: {why}"
                ))
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

fn same_object(input: &Value, output: &Value, api_version: &str) -> Result<(), String> {
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
                if let Some((key, _)) = entries.iter().find(|(_, value)| !value.is_string()) {
                    return Err(format!(
                        "metadata.{field}[{key}] must be a string in converted object"
                    ));
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
