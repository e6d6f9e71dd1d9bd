//! Parts that both versions share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::reasons::MemberReason;
use crate::time::Time;

/// Names a topology (v1) or a cluster (v1beta1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopologyRef {
    /// Name of the cell or cluster.
    pub name: String,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl TopologyRef {
    /// A reference by name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            other: Map::new(),
        }
    }
}

/// `metav1.LabelSelector`: all of `matchLabels` and all of `matchExpressions` must hold. The empty selector matches
/// everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be present with exactly this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Further requirements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_expressions: Option<Vec<LabelSelectorRequirement>>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One requirement of a [`LabelSelector`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSelectorRequirement {
    /// Label key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; others are refused when the selector is used.
    pub operator: String,
    /// Values for `In` and `NotIn`; must be empty for the other two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
}

/// One override step: an RFC 6902 operation of the kinds `add`, `remove` and `replace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideOperation {
    /// Operation; absent or empty means `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// JSON pointer into the member object.
    pub path: String,
    /// Value for `add` and `replace`; absent and null are the same, as in KubeFed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How the object stands in one member: an entry of `status.clusters` (v1beta1) or `status.topologies` (v1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberEntry {
    /// Name of the cluster, or of the cell in v1 under `topologyType: cell`.
    pub name: String,
    /// KubeFed's word; absent means OK. Never `Masked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MemberReason>,
    /// KubeFed's word or `Masked`; absent means the member holds the desired state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<MemberReason>,
    /// The reason in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Short hash of the template (and of this member's overrides) that the member runs; members with the same text
    /// run the same. Absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `metadata.generation` of the member object; absent for kinds without generations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The member object's whole `.status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_status: Option<Value>,
    /// Every other field.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The numbers of the printer columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Members that the placement selects.
    pub topologies: i64,
    /// Of those, members that run the current template and overrides.
    pub updated: i64,
    /// Of those, members that the mask keeps as they are.
    pub masked: i64,
    /// Members that need attention.
    pub failing: i64,
}

/// A condition of a federated object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropagationCondition {
    /// Always `Propagation`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One-word reason; absent when True.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the condition, or what it sums up, last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Time>,
    /// When status or reason last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}
