//! Finalizers that Koinon sets.

/// On every federated object, before the first member write; removed when nothing is left to do in members (KubeFed).
pub const SYNC_CONTROLLER: &str = "kubefed.io/sync-controller";
/// On every `FederatedTypeConfig`; removed when its controllers have stopped (KubeFed).
pub const FEDERATED_TYPE_CONFIG: &str = "core.kubefed.io/federated-type-config";
/// On every `Cell`; removed when its derived `KubeFedCluster` is gone.
pub const CELL: &str = "koinon.io/cell";
