//! Writes the status of a federated object: once per reconcile, and only if it says anything new.

use federation_api::federated::southbound::Status;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::controller::TypeWork;
use super::triggers::trim_federated;
use crate::clients::Failure;
use crate::hub::{JsonObject, ObjectKey};

impl TypeWork {
    /// Writes the status unless the hub shows it already. This process is its only writer, so no version is compared:
    /// an edit by a user meanwhile is no reason to lose what members said.
    ///
    /// # Errors
    /// If the hub refuses.
    pub(super) async fn write_status(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
        status: &Status,
    ) -> Result<(), kube::Error> {
        let new = json!(status);
        let held = stored.at("/status").cloned().unwrap_or_default();
        if held == new {
            return Ok(());
        }
        let patch = Patch::Merge(json!({"status": replacing(&held, new)}));
        let api = JsonObject::api(
            self.context.hub_client.clone(),
            &self.federated,
            key.namespace(),
        );
        match api
            .patch_status(&key.name, &PatchParams::default(), &patch)
            .await
        {
            Ok(written) => {
                self.note_hub_write(key, stored, written);
                Ok(())
            }
            Err(error) if Failure::of(&error) == Failure::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes in what a status write returned, so that the next reconcile does not repeat it before the watch echoes it.
    /// Only if the object is otherwise the one decided on: a newer specification must come by the watch, which queues it.
    fn note_hub_write(&self, key: &ObjectKey, stored: &JsonObject, mut written: JsonObject) {
        let still_held = self.objects.get(key).is_some_and(|held| {
            held.at("/metadata/resourceVersion") == stored.at("/metadata/resourceVersion")
        });
        let same = [
            "/metadata/generation",
            "/metadata/annotations",
            "/metadata/deletionTimestamp",
            "/metadata/finalizers",
        ]
        .iter()
        .chain(&["/metadata/labels", "/metadata/uid"])
        .all(|pointer| stored.at(pointer) == written.at(pointer));
        if still_held && same {
            trim_federated(&mut written);
            self.objects
                .insert(key.clone(), std::sync::Arc::new(written));
        }
    }
}

/// A merge patch that makes the top-level fields of `held` equal to those of `new`. Lists are replaced as a whole.
fn replacing(held: &Value, new: Value) -> Value {
    let mut patch: Map<String, Value> = held
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(|key| (key.clone(), Value::Null))
        .collect();
    if let Value::Object(new) = new {
        patch.extend(new);
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_new_status_lacks_is_removed() {
        let patch = replacing(
            &json!({"clusters": [1], "old": 1}),
            json!({"clusters": [2], "observedGeneration": 3}),
        );
        assert_eq!(
            patch,
            json!({"clusters": [2], "observedGeneration": 3, "old": null})
        );
        assert_eq!(replacing(&Value::Null, json!({"a": 1})), json!({"a": 1}));
    }
}
