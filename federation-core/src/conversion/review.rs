//! The `ConversionReview` v1 door to the conversion.

use serde_json::{Value, json};

use super::convert;

/// Answers an `apiextensions.k8s.io/v1` `ConversionReview` request: the same review with `response` set. Converts all
/// objects or none; a failure says which object and why. A body that is no review gets a failure with an
/// empty uid, so the caller may always send the answer with HTTP 200.
#[must_use]
pub fn review(request: &Value) -> Value {
    let body = request.get("request");
    let uid = body
        .and_then(|body| body.get("uid"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let response = match converted(body) {
        Ok(objects) => {
            json!({"uid": uid, "convertedObjects": objects, "result": {"status": "Success"}})
        }
        Err(message) => json!({"uid": uid, "result": {"status": "Failure", "message": message}}),
    };
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response})
}

fn converted(body: Option<&Value>) -> Result<Vec<Value>, String> {
    let body = body.ok_or("the review has no request")?;
    let version = body
        .get("desiredAPIVersion")
        .and_then(Value::as_str)
        .ok_or("the request has no desiredAPIVersion")?;
    let objects = body
        .get("objects")
        .and_then(Value::as_array)
        .ok_or("the request has no objects")?;
    objects
        .iter()
        .enumerate()
        .map(|(index, object)| {
            convert(object.clone(), version).map_err(|error| format!("objects[{index}]: {error}"))
        })
        .collect()
}
