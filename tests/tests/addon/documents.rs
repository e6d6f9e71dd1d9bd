//! Files of many YAML documents.

use serde_json::Value;

/// The objects of a file, in its order.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    format!("\n{text}")
        .split("\n---\n")
        .filter(|document| {
            let mut lines = document.lines();
            lines.any(|line| !line.trim().is_empty() && !line.starts_with('#'))
        })
        .map(|document| {
            serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{e}: {document}"))
        })
        .collect()
}
