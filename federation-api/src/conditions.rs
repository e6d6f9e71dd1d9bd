//! Condition types and their status values.

/// Of a `KubeFedCluster`: its API server answered `/healthz` with `ok`. Absent while the cluster is offline (KubeFed).
pub const READY: &str = "Ready";
/// Of a `KubeFedCluster`: its API server could not be reached.
pub const OFFLINE: &str = "Offline";
/// Of a `KubeFedCluster`: its spec or its Secret cannot be used to build a connection.
pub const CONFIG_MALFORMED: &str = "ConfigMalformed";
/// Of a federated object: whether every member that this change may touch holds the desired state (KubeFed).
pub const PROPAGATION: &str = "Propagation";

/// Condition holds.
pub const TRUE: &str = "True";
/// Condition does not hold.
pub const FALSE: &str = "False";
/// Condition cannot be judged.
pub const UNKNOWN: &str = "Unknown";
