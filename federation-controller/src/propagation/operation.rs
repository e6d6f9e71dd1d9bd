//! One operation in one member: what is sent, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use federation_api::reasons::MemberReason;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::clients::{Failure, chain, message};
use crate::hub::{JsonObject, ObjectKey};
use crate::members::{Member, TargetKind};
use crate::metrics::Metrics;

/// What to do in a member.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Make an object that should not exist yet.
    Create(Value),
    /// Replace an object; the body carries the resource version that was observed.
    Replace(Value),
    /// Apply the fields of the template.
    Apply(Value),
    /// Delete an object, but only the one that was observed.
    Delete {
        /// `metav1.DeleteOptions`.
        options: DeleteParams,
    },
    /// Take the managed label away.
    Unlabel,
}

impl Operation {
    /// The word of events and metrics.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Replace(_) | Self::Apply(_) => "update",
            Self::Delete { .. } => "delete",
            Self::Unlabel => "remove managed label from",
        }
    }

    fn failed(&self) -> MemberReason {
        match self {
            Self::Create(_) => MemberReason::CreationFailed,
            Self::Replace(_) | Self::Apply(_) => MemberReason::UpdateFailed,
            Self::Delete { .. } => MemberReason::DeletionFailed,
            Self::Unlabel => MemberReason::LabelRemovalFailed,
        }
    }

    /// The reason of an operation that has not ended in time.
    pub(super) fn timed_out(&self) -> MemberReason {
        match self {
            Self::Create(_) => MemberReason::CreationTimedOut,
            Self::Replace(_) | Self::Apply(_) => MemberReason::UpdateTimedOut,
            Self::Delete { .. } => MemberReason::DeletionTimedOut,
            Self::Unlabel => MemberReason::LabelRemovalTimedOut,
        }
    }

    fn metric(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Replace(_) | Self::Apply(_) => "update",
            Self::Delete { .. } => "delete",
            Self::Unlabel => "label",
        }
    }
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failed {
    /// The word for status.
    pub(super) reason: MemberReason,
    /// A sentence.
    pub(super) message: String,
    /// An object of that name exists: the one that was in the way of a creation.
    pub(super) existing: Option<Value>,
    /// The object was changed since it was observed: look again at once.
    pub(super) stale: bool,
    /// Something that the operation needs is not there, e.g. the namespace.
    pub(super) missing: bool,
}

impl Failed {
    fn new(reason: MemberReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            existing: None,
            stale: false,
            missing: false,
        }
    }
}

/// What became of an operation: the object as the member holds it now, `None` if it is gone.
pub(super) type Outcome = Result<Option<Value>, Failed>;

/// Where an operation is done. Cheap to clone.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) member: Arc<Member>,
    pub(super) kind: TargetKind,
    /// Namespace and name in the member.
    pub(super) key: ObjectKey,
    /// How long it may take in all, waiting for its turn included.
    pub(super) deadline: Duration,
    pub(super) metrics: Metrics,
}

impl Site {
    /// Does the operation. Ends within the deadline.
    pub(super) async fn perform(&self, operation: &Operation) -> Outcome {
        let started = Instant::now();
        let done = tokio::time::timeout(self.deadline, self.attempt(operation)).await;
        self.metrics
            .operation(operation.metric(), started.elapsed());
        done.unwrap_or_else(|_| {
            self.member.doubt();
            Err(Failed::new(
                operation.timed_out(),
                format!("no answer within {} s", self.deadline.as_secs()),
            ))
        })
    }

    async fn attempt(&self, operation: &Operation) -> Outcome {
        let _slot = self
            .member
            .slot()
            .await
            .map_err(|full| Failed::new(operation.timed_out(), full.to_string()))?;
        let member_client = self.member.member_client().ok_or_else(|| {
            Failed::new(
                MemberReason::ClientRetrievalFailed,
                "there is no connection to the cluster",
            )
        })?;
        let api = self.kind.api(member_client, self.key.namespace());
        match self.send(&api, operation).await {
            Ok(object) => Ok(object),
            Err(error) => Err(self.failed(&api, operation, &error).await),
        }
    }

    async fn send(
        &self,
        api: &kube::Api<JsonObject>,
        operation: &Operation,
    ) -> Result<Option<Value>, kube::Error> {
        let name = &self.key.name;
        match operation {
            Operation::Create(body) => {
                let created = api
                    .create(&PostParams::default(), &JsonObject::new(body.clone()))
                    .await?;
                Ok(Some(created.value().clone()))
            }
            Operation::Replace(body) => {
                let replaced = api
                    .replace(name, &PostParams::default(), &JsonObject::new(body.clone()))
                    .await?;
                Ok(Some(replaced.value().clone()))
            }
            Operation::Apply(body) => {
                let params = PatchParams::apply(FIELD_MANAGER).force();
                let applied = api.patch(name, &params, &Patch::Apply(body)).await?;
                Ok(Some(applied.value().clone()))
            }
            Operation::Delete { options } => match api.delete(name, options).await {
                Ok(answer) => Ok(answer.left().map(|object| object.value().clone())),
                Err(error) if Failure::of(&error) == Failure::NotFound => Ok(None),
                Err(error) => Err(error),
            },
            Operation::Unlabel => {
                let patch =
                    json!({"metadata": {"labels": {federation_api::labels::MANAGED: null}}});
                match api
                    .patch(name, &PatchParams::default(), &Patch::Merge(patch))
                    .await
                {
                    Ok(object) => Ok(Some(object.value().clone())),
                    Err(error) if Failure::of(&error) == Failure::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            }
        }
    }

    async fn failed(
        &self,
        api: &kube::Api<JsonObject>,
        operation: &Operation,
        error: &kube::Error,
    ) -> Failed {
        let failure = Failure::of(error);
        if failure.doubts_server() {
            self.member.doubt();
        }
        tracing::debug!(
            cluster = self.member.name(),
            kind = %self.kind.kind,
            object = %self.key,
            verb = operation.verb(),
            error = %chain(error),
            "an operation failed"
        );
        let reason = match failure {
            Failure::TimedOut => operation.timed_out(),
            _ => operation.failed(),
        };
        let mut failed = Failed::new(reason, message(error));
        failed.stale = failure == Failure::Conflict
            || (failure == Failure::NotFound && matches!(operation, Operation::Replace(_)));
        failed.missing = failure == Failure::NotFound && matches!(operation, Operation::Create(_));
        if failure == Failure::AlreadyExists && matches!(operation, Operation::Create(_)) {
            match api.get_opt(&self.key.name).await {
                Ok(existing) => failed.existing = existing.map(|object| object.value().clone()),
                Err(error) => return Failed::new(MemberReason::RetrievalFailed, message(&error)),
            }
        }
        failed
    }

    /// Reads the object as it is now, past every cache.
    pub(super) async fn read(&self) -> Outcome {
        let Some(member_client) = self.member.member_client() else {
            return Err(Failed::new(
                MemberReason::ClientRetrievalFailed,
                "there is no connection to the cluster",
            ));
        };
        let api = self.kind.api(member_client, self.key.namespace());
        match api.get_opt(&self.key.name).await {
            Ok(object) => Ok(object.map(|object| object.value().clone())),
            Err(error) => {
                if Failure::of(&error).doubts_server() {
                    self.member.doubt();
                }
                Err(Failed::new(MemberReason::RetrievalFailed, message(&error)))
            }
        }
    }
}

/// Field manager of everything Koinon writes with server-side apply.
const FIELD_MANAGER: &str = "koinon";
