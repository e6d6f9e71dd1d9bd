//! `PartialObjectMetadata`: an object's metadata and nothing else.

use serde_json::{Value, json};

/// The metadata of an object, as `meta.k8s.io` of the given version.
pub(super) fn partial(object: &Value, api_version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": api_version,
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    })
}
