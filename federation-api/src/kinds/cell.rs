//! `Cell`: a deployment unit inside a member cluster.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::ClusterCondition;
use crate::names;

/// Where a cell lives and how workloads are placed in it. The cell's labels are what `topologySelector` matches.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "koinon.io",
    version = "v1alpha1",
    kind = "Cell",
    plural = "cells",
    namespaced,
    status = "CellStatus",
    derive = "PartialEq",
    doc = "Cell is a deployment unit of a workspace group. It lives in exactly one member cluster, which may hold many cells.",
    printcolumn = r#"{"name":"Cluster","type":"string","description":"Member cluster the cell lives in","jsonPath":".spec.clusterRef.name"}"#,
    printcolumn = r#"{"name":"Namespace","type":"string","description":"Namespace of the cell in the member cluster","jsonPath":".status.memberNamespace"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","description":"Whether objects can be placed in the cell","jsonPath":".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","description":"Why the cell is not ready","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct CellSpec {
    /// The member cluster the cell lives in. Cannot be changed.
    pub cluster_ref: ClusterRef,
    /// Namespace of the member cluster that the cell's objects land in. Default: <namespace>-<cell>. Two cells of one cluster cannot share one. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_namespace: Option<String>,
    /// Merged into the pod templates of workloads placed in the cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_placement: Option<PodPlacement>,
}

/// Names a KubeFedCluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterRef {
    /// Name of the KubeFedCluster.
    pub name: String,
}

/// On which nodes a cell's pods run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodPlacement {
    /// Node labels that pods of the cell require. They win over the template's for the same key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Tolerations that pods of the cell get in addition to their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
}

/// A toleration, as in core/v1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    /// Taint effect to match: NoSchedule, PreferNoSchedule or NoExecute; empty matches all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// Taint key to match; empty, with operator Exists, matches all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How key and value relate: Exists or Equal (the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// How long, in seconds, a NoExecute taint is tolerated; for ever if not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
    /// Taint value to match; empty if the operator is Exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What the cell controller made of the cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CellStatus {
    /// Generation of the cell that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One condition of type Ready: whether objects can be placed in the cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ClusterCondition>,
    /// Name of the KubeFedCluster derived from the cell: <cell>.<namespace>.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Namespace of the member cluster that the cell's objects land in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_namespace: Option<String>,
}

impl Cell {
    /// Namespace of the member cluster that the cell's objects land in: the one in the spec, or the default. Empty
    /// names (of an object that was never stored) give a meaningless default.
    #[must_use]
    pub fn member_namespace(&self) -> String {
        match self.spec.member_namespace.as_deref() {
            Some(set) if !set.is_empty() => set.to_owned(),
            _ => names::default_member_namespace(
                self.metadata.namespace.as_deref().unwrap_or_default(),
                self.metadata.name.as_deref().unwrap_or_default(),
            ),
        }
    }

    /// Name of the `KubeFedCluster` derived from the cell.
    #[must_use]
    pub fn derived_cluster_name(&self) -> String {
        names::cell_cluster(
            self.metadata.name.as_deref().unwrap_or_default(),
            self.metadata.namespace.as_deref().unwrap_or_default(),
        )
    }
}
