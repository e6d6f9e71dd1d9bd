//! v1beta1: KubeFed's own shape plus the placement mask. The storage version; what controllers see.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::shared::{
    Counts, LabelSelector, MemberEntry, OverrideOperation, PropagationCondition, TopologyRef,
};
use crate::annotations;

/// A federated object in v1beta1.
pub type FederatedObject = super::Federated<Spec, Status>;

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Body of the member objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Value>,
    /// Which members get one. Absent selects none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Which of the selected members this change may touch. Absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement_mask: Option<Placement>,
    /// Per-cluster changes to the template, applied in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Vec<ClusterOverride>>,
    /// Leave `spec.replicas` to the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_replicas: Option<bool>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A set of clusters, by name or by label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Clusters by name. If present, even empty, the selector is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<TopologyRef>>,
    /// Clusters by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_selector: Option<LabelSelector>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Changes to the template for one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterOverride {
    /// Name of the cluster.
    #[serde(default)]
    pub cluster_name: String,
    /// Steps, applied in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_overrides: Option<Vec<OverrideOperation>>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Generation that the rest of the status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One condition of type `Propagation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<PropagationCondition>>,
    /// The numbers of the printer columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Every member that holds the object or should, sorted by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<MemberEntry>>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl FederatedObject {
    /// True if the object's topologies are cells of its own namespace.
    #[must_use]
    pub fn places_in_cells(&self) -> bool {
        self.annotation(annotations::TOPOLOGY_TYPE) == Some(super::northbound::TOPOLOGY_CELL)
    }
}
