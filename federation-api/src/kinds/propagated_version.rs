//! `PropagatedVersion` and `ClusterPropagatedVersion`: what was last written where, so that a restart compares
//! instead of rewriting.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Has no fields: the record is all status.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "core.kubefed.io",
    version = "v1alpha1",
    kind = "PropagatedVersion",
    plural = "propagatedversions",
    namespaced,
    no_spec,
    status = "PropagatedVersionStatus",
    derive = "PartialEq",
    doc = "PropagatedVersion records which version of a namespaced federated object was last written to which member cluster. Written by the controller only."
)]
pub struct PropagatedVersionSpec {}

/// Has no fields: the record is all status.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "core.kubefed.io",
    version = "v1alpha1",
    kind = "ClusterPropagatedVersion",
    plural = "clusterpropagatedversions",
    no_spec,
    status = "PropagatedVersionStatus",
    derive = "PartialEq",
    doc = "ClusterPropagatedVersion records which version of a cluster-scoped federated object was last written to which member cluster. Written by the controller only."
)]
pub struct ClusterPropagatedVersionSpec {}

/// Which version of a federated object each member holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PropagatedVersionStatus {
    /// The observed version of the template: md5 of its JSON, empty if there is none.
    pub template_version: String,
    /// The observed version of the overrides: md5 of their JSON.
    pub overrides_version: String,
    /// The last versions produced in each cluster from exactly this template and these overrides, sorted by cluster.
    #[serde(default, deserialize_with = "crate::kinds::cluster::null_is_default")]
    pub cluster_versions: Vec<ClusterObjectVersion>,
    /// The last versions of the members that hold an older template or older overrides (masked out, unreachable or failing), sorted by cluster. Koinon's addition.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::kinds::cluster::null_is_default"
    )]
    pub held_versions: Vec<ClusterObjectVersion>,
}

/// The version of the object in one member.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterObjectVersion {
    /// The name of the cluster the version is for.
    pub cluster_name: String,
    /// The last version produced for the object by the member: gen:<generation>, or rv:<resourceVersion> for kinds without generations.
    pub version: String,
    /// What was written there: the hash of the template and, if this member has overrides, of its own ones. Koinon's addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<String>,
}
