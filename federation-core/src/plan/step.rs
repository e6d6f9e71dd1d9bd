//! What a plan consists of.

use std::collections::BTreeSet;

use federation_api::reasons::{MemberReason, propagation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Event;

/// What to do with one federated object. The caller first sets the finalizer if asked to, then does the steps, then writes
/// status and record, and only then removes the finalizer.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the object is going through.
    pub flow: Flow,
    /// What to do with the finalizer.
    pub finalizer: Finalizer,
    /// One step for every member that holds the object or should, sorted by member.
    pub steps: Vec<Step>,
    /// Names of the members that the placement selects.
    pub selected: BTreeSet<String>,
    /// What keeps the whole object from being propagated.
    pub problem: Option<Problem>,
    /// What to tell about the object as a whole.
    pub events: Vec<Event>,
}

/// What a federated object is going through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It is propagated.
    Propagate,
    /// It is being deleted, and its member objects with it.
    Delete,
    /// It is being deleted, and its member objects stay.
    Orphan,
}

/// What to do with the finalizer `kubefed.io/sync-controller`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finalizer {
    /// Nothing.
    Keep,
    /// Set it before any step is done; if that fails, do none (event `EnsureFinalizerError`).
    Add,
    /// Nothing is left, as far as caches know. Read the object live in each of these members (sorted); if everywhere
    /// [`super::is_gone`], remove the finalizer.
    Remove {
        /// Members to ask.
        verify: Vec<String>,
    },
}

/// What keeps a whole object from being propagated: the reason of its `Propagation` condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// See `federation_api::reasons::propagation`.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

impl Problem {
    /// The members could not be read: for callers that cannot even make a snapshot.
    pub fn no_members(message: impl Into<String>) -> Self {
        Self {
            reason: propagation::CLUSTER_RETRIEVAL_FAILED,
            message: message.into(),
        }
    }
}

/// How a member stands to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Selected and not masked out.
    Writable,
    /// Selected, but masked out.
    Held,
    /// Not selected.
    Left,
}

/// What to do in one member.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Name of the member.
    pub member: String,
    /// How it stands to the object.
    pub standing: Standing,
    /// What to do.
    pub action: Action,
    /// The word for status if the action is no operation; `None` means that all is well, or that an operation will tell.
    pub reason: Option<MemberReason>,
    /// Why, in a sentence.
    pub message: String,
    /// What the member is to run: recorded when a write succeeds.
    pub applied: String,
}

/// What to do in a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make this object. If one exists: observe it live and plan this member again, which decides about adoption.
    Create(Value),
    /// Replace the object by this one, which carries the observed resource version.
    Replace {
        /// The whole object.
        object: Value,
        /// True if the object was not managed before (event `UpdateInCluster`).
        adopts: bool,
    },
    /// Apply these fields with server-side apply, by force. Also creates.
    Apply {
        /// What is ours of the object.
        object: Value,
        /// True if the object was not managed before.
        adopts: bool,
    },
    /// Delete the object.
    Delete(DeleteOptions),
    /// Take the managed label off the object, and leave it.
    RemoveManagedLabel,
    /// The object is as it should be.
    Nothing,
    /// The object is as it should be, but that is not on record: record this version of it.
    Record(String),
    /// Something must happen first; an event or a later pass will bring it up again.
    Wait,
    /// Leave whatever is there exactly as it is.
    Leave,
}

impl Action {
    /// True if something is sent to the member.
    #[must_use]
    pub fn is_operation(&self) -> bool {
        matches!(
            self,
            Self::Create(_)
                | Self::Replace { .. }
                | Self::Apply { .. }
                | Self::Delete(_)
                | Self::RemoveManagedLabel
        )
    }

    /// True if the object is created or updated.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Create(_) | Self::Replace { .. } | Self::Apply { .. }
        )
    }

    /// The word for status of an operation that has not ended in time.
    #[must_use]
    pub fn timed_out(&self) -> Option<MemberReason> {
        match self {
            Self::Create(_) => Some(MemberReason::CreationTimedOut),
            Self::Replace { .. } | Self::Apply { .. } => Some(MemberReason::UpdateTimedOut),
            Self::Delete(_) => Some(MemberReason::DeletionTimedOut),
            Self::RemoveManagedLabel => Some(MemberReason::LabelRemovalTimedOut),
            Self::Nothing | Self::Record(_) | Self::Wait | Self::Leave => None,
        }
    }
}

/// The part of `metav1.DeleteOptions` that KubeFed's annotation may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteOptions {
    /// Seconds the object gets to end; the kind's default if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<i64>,
    /// `Orphan`, `Background` or `Foreground`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation_policy: Option<String>,
    /// Which object is meant. Without one in the annotation: the one that was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preconditions: Option<Preconditions>,
}

/// `metav1.Preconditions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preconditions {
    /// The object must have this uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The object must be at this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

impl DeleteOptions {
    /// Reads the annotation `kubefed.io/deleteoption`.
    ///
    /// # Errors
    /// If it is no JSON of these options, or names an unknown propagation policy.
    pub fn parse(annotation: &str) -> Result<Self, String> {
        let options: Self = serde_json::from_str(annotation).map_err(|error| error.to_string())?;
        match options.propagation_policy.as_deref() {
            None | Some("Orphan" | "Background" | "Foreground") => {}
            Some(other) => return Err(format!("unknown propagationPolicy {other:?}")),
        }
        if options
            .grace_period_seconds
            .is_some_and(|seconds| seconds < 0)
        {
            return Err("gracePeriodSeconds must not be negative".to_owned());
        }
        Ok(options)
    }

    /// These options, limited to `observed` unless they have preconditions of their own.
    #[must_use]
    pub(super) fn of(mut self, observed: &Value) -> Self {
        let uid = observed.pointer("/metadata/uid").and_then(Value::as_str);
        if let (None, Some(uid)) = (&self.preconditions, uid) {
            self.preconditions = Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            });
        }
        self
    }
}
