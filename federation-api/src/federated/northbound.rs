//! v1: the multi-topology form that users write.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::shared::{
    Counts, LabelSelector, MemberEntry, OverrideOperation, PropagationCondition, TopologyRef,
};

/// A federated object in v1.
pub type FederatedObject = super::Federated<Spec, Status>;

/// `spec.topologyType` whose topologies are cells of the object's namespace.
pub const TOPOLOGY_CELL: &str = "cell";
/// `spec.topologyType` whose topologies are clusters. The default.
pub const TOPOLOGY_CLUSTER: &str = "cluster";

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// What topologies are: [`TOPOLOGY_CELL`] or [`TOPOLOGY_CLUSTER`]; absent means the latter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_type: Option<String>,
    /// Body of the member objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Value>,
    /// Which topologies get one. Absent selects none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Which of the selected topologies this change may touch. Absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement_mask: Option<Placement>,
    /// Per-topology changes to the template, applied in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Vec<TopologyOverride>>,
    /// Leave `spec.replicas` to the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_replicas: Option<bool>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A set of topologies, by name or by label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Topologies by name. If present, even empty, the selector is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topologies: Option<Vec<TopologyRef>>,
    /// Topologies by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_selector: Option<LabelSelector>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Changes to the template for one topology.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologyOverride {
    /// Name of the topology.
    #[serde(default)]
    pub topology_name: String,
    /// Steps, applied in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_overrides: Option<Vec<OverrideOperation>>,
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
    /// Every topology that holds the object or should, sorted by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topologies: Option<Vec<MemberEntry>>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
