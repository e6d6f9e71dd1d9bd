//! Kinds with a fixed shape: KubeFed's own, field for field, and `Cell`.

mod cell;
mod cluster;
mod config;
mod propagated_version;
mod type_config;

pub use cell::{Cell, CellSpec, CellStatus, ClusterRef, PodPlacement, Toleration};
pub use cluster::{
    ClusterCondition, KubeFedCluster, KubeFedClusterSpec, KubeFedClusterStatus, SecretRef,
    TlsValidation,
};
pub use config::{
    ClusterHealthCheck, ControllerDuration, FeatureGate, KubeFedConfig, KubeFedConfigSpec,
    LeaderElect, StatusController, SyncController,
};
pub use propagated_version::{
    ClusterObjectVersion, ClusterPropagatedVersion, ClusterPropagatedVersionSpec,
    PropagatedVersion, PropagatedVersionSpec, PropagatedVersionStatus,
};
pub use type_config::{
    ApiResource, ControllerState, FederatedTypeConfig, FederatedTypeConfigSpec,
    FederatedTypeConfigStatus, Scope, Switch, UpdateStrategy,
};
