//! What is told about federated objects, in KubeFed's words.

use federation_api::events;

use super::controller::TypeWork;
use crate::events::{Notice, Severity, Subject};
use crate::hub::{JsonObject, ObjectKey};

impl TypeWork {
    /// Tells an event on the federated object.
    pub(super) fn tell(
        &self,
        stored: &JsonObject,
        severity: Severity,
        reason: impl Into<String>,
        message: String,
    ) {
        let key = ObjectKey::of(kube::Resource::meta(stored));
        self.context.recorder.tell(Notice {
            subject: Subject {
                api_version: self.federated.api_version.clone(),
                kind: self.federated.kind.clone(),
                namespace: key.namespace,
                name: key.name,
                uid: stored.uid().to_owned(),
            },
            severity,
            reason: reason.into(),
            message,
            component: format!("{}-controller", self.federated.kind.to_lowercase()),
        });
    }

    /// Tells how an operation in a cluster ended. `operation` is KubeFed's word, e.g. `Create`.
    pub(super) fn tell_operation(
        &self,
        stored: &JsonObject,
        operation: Word,
        object: &ObjectKey,
        cluster: &str,
        failure: Option<&str>,
    ) {
        let what = operation.text(&self.kind.kind, object, cluster);
        match failure {
            None => self.tell(
                stored,
                Severity::Normal,
                events::in_cluster(operation.reason),
                what,
            ),
            Some(error) => self.tell(
                stored,
                Severity::Warning,
                events::in_cluster_failed(operation.reason),
                format!("Failed to {what}: {error}"),
            ),
        }
    }
}

/// An operation, as events name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    reason: &'static str,
    text: &'static str,
}

impl Word {
    pub(super) const CREATE: Self = Self::new("Create", "create");
    pub(super) const UPDATE: Self = Self::new("Update", "update");
    pub(super) const DELETE: Self = Self::new("Delete", "delete");
    pub(super) const UNLABEL: Self =
        Self::new("RemoveManagedLabelFrom", "remove managed label from");

    const fn new(reason: &'static str, text: &'static str) -> Self {
        Self { reason, text }
    }

    fn text(self, kind: &str, object: &ObjectKey, cluster: &str) -> String {
        format!("{} {kind} \"{object}\" in cluster \"{cluster}\"", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kubefeds() {
        let key = ObjectKey::new("bank-prod", "foo-01");
        assert_eq!(
            Word::CREATE.text("Foo", &key, "hz-1"),
            "create Foo \"bank-prod/foo-01\" in cluster \"hz-1\""
        );
        assert_eq!(
            events::in_cluster(Word::UNLABEL.reason),
            "RemoveManagedLabelFromInCluster"
        );
    }
}
