//! Reasons of conditions, and the words that say how a federated object stands in one member.

use serde::{Deserialize, Serialize};

/// Reasons of the `Propagation` condition (KubeFed's four; no reason when it is True).
pub mod propagation {
    /// The list of members could not be read.
    pub const CLUSTER_RETRIEVAL_FAILED: &str = "ClusterRetrievalFailed";
    /// The placement could not be resolved, e.g. for an invalid selector.
    pub const COMPUTE_PLACEMENT_FAILED: &str = "ComputePlacementFailed";
    /// The object's namespace has no FederatedNamespace.
    pub const NAMESPACE_NOT_FEDERATED: &str = "NamespaceNotFederated";
    /// At least one member needs attention: see the list of members.
    pub const CHECK_CLUSTERS: &str = "CheckClusters";
}

/// Reasons of a `KubeFedCluster`'s conditions (KubeFed).
pub mod cluster {
    /// With `Ready=True`.
    pub const READY: &str = "ClusterReady";
    /// With `Ready=False`: `/healthz` answered something else than `ok`.
    pub const NOT_READY: &str = "ClusterNotReady";
    /// With `Offline=True`.
    pub const NOT_REACHABLE: &str = "ClusterNotReachable";
    /// With `Offline=False`.
    pub const REACHABLE: &str = "ClusterReachable";
    /// With `ConfigMalformed=True`.
    pub const CONFIG_MALFORMED: &str = "ClusterConfigMalformed";
}

/// Reasons of a `Cell`'s `Ready` condition.
pub mod cell {
    /// The derived cluster exists and its member namespace is made.
    pub const READY: &str = "CellReady";
    /// `spec.clusterRef` names no registered cluster.
    pub const CLUSTER_NOT_FOUND: &str = "ClusterNotFound";
    /// The cluster is registered but not ready.
    pub const CLUSTER_NOT_READY: &str = "ClusterNotReady";
    /// The member namespace could not be made.
    pub const NAMESPACE_FAILED: &str = "MemberNamespaceFailed";
    /// Another cell of the same cluster has the member namespace.
    pub const NAMESPACE_TAKEN: &str = "MemberNamespaceTaken";
    /// Deletion waits because objects are still placed in the cell.
    pub const STILL_IN_USE: &str = "StillInUse";
}

/// Why a member does not simply hold the desired object: KubeFed's words, plus [`MemberReason::Masked`].
/// Absence of a reason means that all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberReason {
    /// Selected, but the placement mask does not name it: left exactly as it is. Koinon's own word.
    Masked,
    /// The object left the placement (or is being deleted) and the member object is not gone yet.
    WaitingForRemoval,
    /// The member is not ready.
    ClusterNotReady,
    /// The member object could not be read from the cache.
    CachedRetrievalFailed,
    /// The desired object could not be computed from the template.
    ComputeResourceFailed,
    /// The overrides are invalid or do not apply.
    ApplyOverridesFailed,
    /// Creating failed. Recoverable.
    CreationFailed,
    /// Updating failed. Recoverable.
    UpdateFailed,
    /// Deleting failed. Recoverable.
    DeletionFailed,
    /// Removing the managed label failed. Recoverable.
    LabelRemovalFailed,
    /// Reading the member object failed. Recoverable.
    RetrievalFailed,
    /// An unmanaged object of that name exists and adoption is disabled.
    AlreadyExists,
    /// Retained fields could not be carried over.
    FieldRetentionFailed,
    /// The recorded version could not be read.
    VersionRetrievalFailed,
    /// No client for the member could be made. Recoverable.
    ClientRetrievalFailed,
    /// The member object carries `kubefed.io/managed: "false"`.
    ManagedLabelFalse,
    /// Creating did not finish in time. Recoverable.
    CreationTimedOut,
    /// Updating did not finish in time. Recoverable.
    UpdateTimedOut,
    /// Deleting did not finish in time. Recoverable.
    DeletionTimedOut,
    /// Removing the managed label did not finish in time. Recoverable.
    LabelRemovalTimedOut,
}

impl MemberReason {
    /// The word as it stands in status.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Masked => "Masked",
            Self::WaitingForRemoval => "WaitingForRemoval",
            Self::ClusterNotReady => "ClusterNotReady",
            Self::CachedRetrievalFailed => "CachedRetrievalFailed",
            Self::ComputeResourceFailed => "ComputeResourceFailed",
            Self::ApplyOverridesFailed => "ApplyOverridesFailed",
            Self::CreationFailed => "CreationFailed",
            Self::UpdateFailed => "UpdateFailed",
            Self::DeletionFailed => "DeletionFailed",
            Self::LabelRemovalFailed => "LabelRemovalFailed",
            Self::RetrievalFailed => "RetrievalFailed",
            Self::AlreadyExists => "AlreadyExists",
            Self::FieldRetentionFailed => "FieldRetentionFailed",
            Self::VersionRetrievalFailed => "VersionRetrievalFailed",
            Self::ClientRetrievalFailed => "ClientRetrievalFailed",
            Self::ManagedLabelFalse => "ManagedLabelFalse",
            Self::CreationTimedOut => "CreationTimedOut",
            Self::UpdateTimedOut => "UpdateTimedOut",
            Self::DeletionTimedOut => "DeletionTimedOut",
            Self::LabelRemovalTimedOut => "LabelRemovalTimedOut",
        }
    }

    /// True if a retry with backoff may heal it without any event (KubeFed's recoverable errors); the rest wait for
    /// a change of the object, the member or the cluster.
    #[must_use]
    pub fn is_recoverable(self) -> bool {
        matches!(
            self,
            Self::CreationFailed
                | Self::UpdateFailed
                | Self::DeletionFailed
                | Self::LabelRemovalFailed
                | Self::RetrievalFailed
                | Self::ClientRetrievalFailed
                | Self::CreationTimedOut
                | Self::UpdateTimedOut
                | Self::DeletionTimedOut
                | Self::LabelRemovalTimedOut
        )
    }

    /// True if the word counts as failing: all but [`Self::Masked`] and [`Self::WaitingForRemoval`].
    #[must_use]
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Masked | Self::WaitingForRemoval)
    }

    /// The word for KubeFed's own `status` field: everything but [`Self::Masked`], which KubeFed's clients would
    /// take for an error.
    #[must_use]
    pub fn kubefed_status(self) -> Option<Self> {
        (self != Self::Masked).then_some(self)
    }
}

impl std::fmt::Display for MemberReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
