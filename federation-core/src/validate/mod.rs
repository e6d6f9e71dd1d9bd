//! What users may write, as field errors and warnings.
//!
//! Pure: the hub gives the object as JSON, the stored one on an update, and a snapshot of what else is there. Rules and
//! messages of KubeFed's kinds are KubeFed's. A status request validates only the status.

mod cell;
mod cluster;
mod config;
mod federated;
#[cfg(test)]
mod tests;
mod type_config;

use std::collections::BTreeMap;

use federation_api::kinds::{Cell, KubeFedCluster};
use serde_json::Value;

pub use cell::cell;
pub use cluster::{kubefed_cluster, kubefed_cluster_status};
pub use config::kubefed_config;
pub use federated::{converts_alike, federated};
pub use type_config::{federated_type_config, federated_type_config_status};

use crate::field::{FieldError, Path};

/// What else is there when an object is validated. It may be slightly old: what depends on it is checked again by the
/// controllers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snapshot<'a> {
    /// All registered clusters, physical and derived.
    pub clusters: &'a [KubeFedCluster],
    /// All cells of all namespaces.
    pub cells: &'a [Cell],
    /// Labels of the object's own namespace; `None` for cluster-scoped objects or if unknown.
    pub namespace_labels: Option<&'a BTreeMap<String, String>>,
}

/// What validation found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Why the object is refused; empty if it is not.
    pub errors: Vec<FieldError>,
    /// What the user should know all the same; sent as `Warning` headers.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// True if the object may be stored.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.errors.is_empty()
    }

    fn error(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    fn warn(&mut self, field: &Path, text: impl std::fmt::Display) {
        self.warnings.push(format!("{field}: {text}"));
    }

    /// Requires text that `rule` finds nothing wrong with.
    fn name(&mut self, object: &Value, path: &Path, key: &str, rule: fn(&str) -> Option<String>) {
        let field = path.child(key);
        match text(object, key) {
            "" => self.error(FieldError::required(&field)),
            value => {
                if let Some(message) = rule(value) {
                    self.error(FieldError::invalid(&field, value, message));
                }
            }
        }
    }

    /// Requires one of the accepted words.
    fn word(&mut self, value: &str, path: &Path, accepted: &[&str]) {
        if value.is_empty() {
            self.error(FieldError::required(path));
        } else if !accepted.contains(&value) {
            self.error(FieldError::not_supported(path, value, accepted));
        }
    }

    /// Refuses a change of a field that cannot be changed.
    fn immutable(&mut self, path: &Path, new: &Value, old: &Value) {
        if new != old {
            self.error(FieldError::invalid(path, new.clone(), "field is immutable"));
        }
    }
}

/// The text at `key`; empty if it is absent or no text.
fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The object's name; empty if it has none yet.
fn name(object: &Value) -> &str {
    object
        .get("metadata")
        .map(|metadata| text(metadata, "name"))
        .unwrap_or_default()
}

/// The object's namespace; empty if it has none.
fn namespace(object: &Value) -> &str {
    object
        .get("metadata")
        .map(|metadata| text(metadata, "namespace"))
        .unwrap_or_default()
}
