//! The finalizer of federated objects: set before the first member write, removed when nothing is left to do.

use federation_api::{events, finalizers};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::controller::TypeWork;
use crate::clients::{Failure, message};
use crate::events::Severity;
use crate::hub::{JsonObject, ObjectKey};

impl TypeWork {
    /// Sets the finalizer if it is missing.
    ///
    /// # Errors
    /// If the hub refuses: then nothing may be written to members.
    pub(super) async fn ensure_finalizer(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
    ) -> Result<(), kube::Error> {
        let written = self
            .edit_finalizers(key, stored, |all| {
                all.push(finalizers::SYNC_CONTROLLER.to_owned())
            })
            .await;
        if let Err(error) = &written {
            let text = format!("Failed to ensure finalizer: {}", message(error));
            self.tell(
                stored,
                Severity::Warning,
                events::ENSURE_FINALIZER_ERROR,
                text,
            );
        }
        written
    }

    /// Removes the finalizer: the hub may let the object go.
    ///
    /// # Errors
    /// If the hub refuses.
    pub(super) async fn release(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
    ) -> Result<(), kube::Error> {
        match self.edit_finalizers(key, stored, |_| {}).await {
            Err(error) if Failure::of(&error) == Failure::NotFound => Ok(()),
            other => other,
        }
    }

    /// Writes the list of finalizers: those of others, and what `add` adds. The resource version guards against a list
    /// that somebody changed meanwhile; our own status writes change it too, so a conflict is met by reading again.
    async fn edit_finalizers(
        &self,
        key: &ObjectKey,
        stored: &JsonObject,
        add: impl Fn(&mut Vec<String>),
    ) -> Result<(), kube::Error> {
        let api = JsonObject::api(
            self.context.hub_client.clone(),
            &self.federated,
            key.namespace(),
        );
        let mut live = stored.clone();
        for _ in 0..CONFLICTS {
            let held = finalizers_of(&live);
            let mut all = held.clone();
            all.retain(|one| one != finalizers::SYNC_CONTROLLER);
            add(&mut all);
            if all.len() == held.len() {
                return Ok(());
            }
            let patch = json!({"metadata": {
                "finalizers": all,
                "resourceVersion": live.at("/metadata/resourceVersion"),
            }});
            match api
                .patch(&key.name, &PatchParams::default(), &Patch::Merge(patch))
                .await
            {
                Err(error) if Failure::of(&error) == Failure::Conflict => {
                    live = api.get(&key.name).await?
                }
                other => return other.map(|_| ()),
            }
            if live.uid() != stored.uid() {
                // Another object of that name: its own reconcile sees to it.
                return Ok(());
            }
        }
        live_conflict()
    }
}

/// Conflicts met in one go before the queue's backoff takes over.
const CONFLICTS: usize = 4;

fn live_conflict() -> Result<(), kube::Error> {
    let status = kube::core::Status::failure(
        "the finalizers are being changed by somebody else",
        "Conflict",
    );
    Err(kube::Error::Api(status.with_code(409).boxed()))
}

fn finalizers_of(stored: &JsonObject) -> Vec<String> {
    stored
        .at("/metadata/finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}
