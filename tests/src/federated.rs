//! Federated objects as the tests make them and read them.

use serde_json::{Value, json};

use crate::kubectl::Kubectl;
use crate::wait::eventually;

/// A topology list: `[{name: a}, …]`.
#[must_use]
pub fn topologies(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

/// A federated object of `types.kubefed.io/v1` that is placed in cells.
#[must_use]
pub fn federated(kind: &str, name: &str, cells: &[&str], template: Value) -> Value {
    json!({
        "apiVersion": "types.kubefed.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "topologyType": "cell",
            "placement": {"topologies": topologies(cells)},
            "template": template,
        },
    })
}

/// A Foo that looks for a friend.
#[must_use]
pub fn federated_foo(name: &str, cells: &[&str], friend: &str) -> Value {
    federated(
        "FederatedFoo",
        name,
        cells,
        json!({"spec": {"name": friend}}),
    )
}

/// The same object with a mask.
#[must_use]
pub fn masked(mut object: Value, cells: &[&str]) -> Value {
    object["spec"]["placementMask"] = json!({"topologies": topologies(cells)});
    object
}

/// What the status of a federated object says of one cell; null if nothing.
#[must_use]
pub fn entry<'a>(object: &'a Value, cell: &str) -> &'a Value {
    object["status"]["topologies"]
        .as_array()
        .and_then(|entries| entries.iter().find(|entry| entry["name"] == cell))
        .unwrap_or(&Value::Null)
}

/// Waits until the controller has dealt with the newest generation and counts so many updated and masked cells, and returns the
/// object.
///
/// # Panics
/// It does not come to that.
pub fn counted(hub: &Kubectl, kind: &str, name: &str, updated: u64, masked: u64) -> Value {
    eventually(
        &format!("{kind} {name} has {updated} updated and {masked} masked cells"),
        || {
            let object = hub.try_get(kind, name)?;
            let (status, counts) = (&object["status"], &object["status"]["counts"]);
            let settled = status["observedGeneration"] == object["metadata"]["generation"]
                && counts["updated"] == updated
                && counts["masked"] == masked;
            if settled {
                Ok(object)
            } else {
                Err(object.to_string())
            }
        },
    )
}

/// What changes when somebody touches an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Another one: the object was deleted and made again.
    pub uid: String,
    /// Another one: its specification was changed.
    pub generation: i64,
    /// Another one: anything of it was written.
    pub resource_version: String,
}

impl Trace {
    /// The trace of an object as it was read.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let text = |field: &str| {
            let value = object["metadata"][field].as_str();
            value.unwrap_or_default().to_owned()
        };
        Self {
            uid: text("uid"),
            generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
            resource_version: text("resourceVersion"),
        }
    }
}
