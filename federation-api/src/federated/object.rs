//! A federated object of either version.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A JSON value is not a federated object of the version it was read as. The source names the field.
#[derive(Debug, thiserror::Error)]
#[error("not a federated object of the expected shape")]
pub struct ParseError(#[from] serde_json::Error);

/// A federated object with the spec and status of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Federated<Spec, Status> {
    /// Group and version, e.g. `types.kubefed.io/v1beta1`.
    #[serde(default)]
    pub api_version: String,
    /// `Federated<Kind>`.
    #[serde(default)]
    pub kind: String,
    /// Metadata of the hub object.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: Spec,
    /// What is; absent before the first reconcile.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Every other top-level field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn none<T>() -> Option<T> {
    None
}

impl<Spec, Status> Federated<Spec, Status>
where
    Spec: DeserializeOwned + Serialize,
    Status: DeserializeOwned + Serialize,
{
    /// Reads an object. The version is not checked: the caller knows which one it asked for.
    ///
    /// # Errors
    /// If a field that the version defines has the wrong JSON type or a required one is missing.
    pub fn from_value(value: &Value) -> Result<Self, ParseError> {
        Ok(Self::deserialize(value)?)
    }

    /// Writes the object back. Unknown fields come out as they went in; absent optional fields stay absent.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// Name of the object; empty if it has none yet.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Namespace of the object; empty for cluster-scoped ones.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Value of an annotation of the federated object itself (not of its template).
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata
            .annotations
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }

    /// True if deletion was asked for.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// True if the finalizer is set.
    #[must_use]
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.metadata
            .finalizers
            .as_ref()
            .is_some_and(|all| all.iter().any(|one| one == finalizer))
    }
}
