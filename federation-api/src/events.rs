//! Reasons of the events Koinon emits on hub objects.
//!
//! Member operations use `<Operation>InCluster` (Normal) and `<Operation>InClusterFailed` (Warning), as in
//! KubeFed; see [`in_cluster`] and [`in_cluster_failed`]. Their text is
//! `<op> <Kind> "<namespace/name>" in cluster "<cluster>"`.

/// The finalizer could not be set.
pub const ENSURE_FINALIZER_ERROR: &str = "EnsureFinalizerError";
/// The template holds annotations that the type's annotation policy does not propagate.
pub const ANNOTATIONS_NOT_SUPPORTED: &str = "AnnotationsNotSupported";
/// The template holds finalizers, which are never propagated.
pub const FINALIZERS_NOT_SUPPORTED: &str = "FinalizersNotSupported";
/// A FederatedNamespace is not named as its namespace.
pub const INVALID_NAME: &str = "InvalidName";
/// The fields of a federated object have the wrong shape.
pub const OBJECT_UNREADABLE: &str = "ObjectUnreadable";
/// An operation in a member did not answer in time.
pub const OPERATION_TIMEOUT: &str = "OperationTimeoutError";
/// Deletion waits for member objects to go.
pub const WAIT_FOR_REMOVAL: &str = "WaitForRemovalInCluster";
/// An existing member object is adopted.
pub const UPDATE_IN_CLUSTER: &str = "UpdateInCluster";
/// On a `KubeFedCluster`: its spec or Secret is unusable.
pub const MALFORMED_CLUSTER_CONFIG: &str = "MalformedClusterConfig";
/// On a `KubeFedCluster`: the health probe itself failed.
pub const RETRIEVING_CLUSTER_HEALTH_FAILED: &str = "RetrievingClusterHealthFailed";

/// On a `KubeFedCluster`: no agent of the cluster is connected to the hub any more.
pub const TUNNEL_DOWN: &str = "TunnelDown";
/// On a `KubeFedCluster`: an agent of the cluster is connected to the hub again.
pub const TUNNEL_UP: &str = "TunnelUp";

/// Reason of the Normal event for a done operation, e.g. `in_cluster("Create")` is `CreateInCluster`.
#[must_use]
pub fn in_cluster(operation: &str) -> String {
    format!("{operation}InCluster")
}

/// Reason of the Warning event for a failed operation, e.g. `in_cluster_failed("Create")` is
/// `CreateInClusterFailed`.
#[must_use]
pub fn in_cluster_failed(operation: &str) -> String {
    format!("{operation}InClusterFailed")
}
