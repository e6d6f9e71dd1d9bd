//! Hashes that change exactly when a document does, without building it.

use std::fmt::Write;

use serde_json::json;

use crate::http::discovery::hash;
use crate::kinds::{Kind, KindVersion, Kinds};
use crate::schema::builtin_types_digest;

/// Changes when the way in which documents are built changes.
const FORM: u32 = 1;

/// The hash of the document of a group version: 128 upper-case hex digits, equal after a restart.
pub(super) fn fingerprint(kinds: &Kinds, group: &str, version: &str) -> String {
    let mut text = format!("{FORM} {:x} {group}/{version}", builtin_types_digest());
    for row in kinds.iter().filter(|row| &*row.group == group) {
        if let Some(version) = row.version(version) {
            // Writing into a String cannot fail.
            let _ = write!(text, "\n{}", of_row(row, version));
        }
    }
    hash(text.as_bytes())
}

/// All of a row that its paths and components depend on. Built-in types are covered by the digest of their table.
fn of_row(row: &Kind, version: &KindVersion) -> String {
    let verbs: Vec<&str> = row.verbs.iter().map(|verb| verb.as_str()).collect();
    let schema = row.is_custom().then(|| version.schema.to_openapi());
    let shape = json!([
        &*row.plural,
        &*row.kind,
        &*row.list_kind,
        row.namespaced(),
        verbs,
        version.status,
        version.scale.is_some(),
        schema,
    ]);
    shape.to_string()
}
