//! `KubeFedCluster`: a member cluster, or the derived stand-in of a cell.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;
use crate::{annotations, conditions, labels};

/// How to reach a member cluster. Authentication is by the bearer token in `secretRef`.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "core.kubefed.io",
    version = "v1beta1",
    kind = "KubeFedCluster",
    plural = "kubefedclusters",
    shortname = "kfc",
    namespaced,
    status = "KubeFedClusterStatus",
    derive = "PartialEq",
    doc = "KubeFedCluster registers a member cluster with the federation: where its API server is, and with which credentials it is reached.",
    printcolumn = r#"{"name":"age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name":"kubernetes-version","type":"string","jsonPath":".status.kubernetesVersion"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct KubeFedClusterSpec {
    /// The API endpoint of the member cluster: a hostname, hostname:port, IP, IP:port or URL. The scheme defaults to https.
    pub api_endpoint: String,
    /// CABundle contains the certificate authority information, as base64 of PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "byte"))]
    pub ca_bundle: Option<String>,
    /// Name of the Secret, in the namespace of this object, whose key `token` holds the bearer token for the member.
    pub secret_ref: SecretRef,
    /// Which checks of the member's serving certificate are left out. `*` leaves out all and must stand alone.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        rename = "disabledTLSValidations",
        deserialize_with = "crate::kinds::cluster::null_is_default"
    )]
    pub disabled_tls_validations: Vec<TlsValidation>,
    /// Proxy through which the member is reached: an http, https or socks5 URL. Empty means none.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "proxyURL")]
    pub proxy_url: Option<String>,
}

/// Reads an absent or null list as the empty one, as Go clients mean it.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Names a Secret of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Name of the Secret.
    pub name: String,
}

/// A check of the member's serving certificate that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsValidation {
    /// Leaves out every check.
    #[serde(rename = "*")]
    All,
    /// Leaves out the check that the certificate names the host.
    SubjectName,
    /// Leaves out the check that the certificate is within its validity.
    ValidityPeriod,
}

impl JsonSchema for TlsValidation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TLSValidation".into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// A plain string, as in KubeFed: the rule lives in admission, which names the allowed values.
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string"})
    }
}

/// What the health controller last saw of a member cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubeFedClusterStatus {
    /// Conditions is an array of current cluster conditions: Ready, Offline or ConfigMalformed. Each probe replaces them all.
    #[serde(default, deserialize_with = "crate::kinds::cluster::null_is_default")]
    pub conditions: Vec<ClusterCondition>,
    /// Version of the member's API server, while it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// Zones are the names of availability zones in which the nodes of the cluster exist.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::kinds::cluster::null_is_default"
    )]
    pub zones: Vec<String>,
    /// Region is the name of the region in which all of the nodes in the cluster exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// One condition of a member cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCondition {
    /// Type of cluster condition: Ready, Offline or ConfigMalformed.
    #[serde(rename = "type")]
    pub type_: String,
    /// Status of the condition, one of True, False, Unknown.
    pub status: String,
    /// Last time the condition was checked.
    pub last_probe_time: Time,
    /// Last time the condition changed from one status to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// One-word reason for the condition's last transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Human-readable message about the last transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl KubeFedCluster {
    /// True if the last probe found the cluster ready: it has `Ready=True`. Everything else means not ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status.as_ref().is_some_and(|status| {
            status.conditions.iter().any(|condition| {
                condition.type_ == conditions::READY && condition.status == conditions::TRUE
            })
        })
    }

    /// Cell and hub namespace this cluster is derived from, or `None` for a physical cluster. Read from the labels
    /// that the cell controller sets, never from the name.
    #[must_use]
    pub fn derived_from(&self) -> Option<(&str, &str)> {
        let labels = self.metadata.labels.as_ref()?;
        Some((
            labels.get(labels::CELL)?,
            labels.get(labels::CELL_NAMESPACE)?,
        ))
    }

    /// Name of the physical cluster to connect to: its own, or for a derived one its base cluster's.
    #[must_use]
    pub fn physical_name(&self) -> &str {
        let own = self.metadata.name.as_deref().unwrap_or_default();
        let base = self
            .metadata
            .labels
            .as_ref()
            .and_then(|all| all.get(labels::CLUSTER));
        match (self.derived_from(), base) {
            (Some(_), Some(base)) => base,
            _ => own,
        }
    }

    /// True if the cluster must be reached through its agent's tunnel only.
    #[must_use]
    pub fn wants_tunnel(&self) -> bool {
        self.metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(annotations::CONNECTION))
            .is_some_and(|value| value == annotations::CONNECTION_TUNNEL)
    }
}
