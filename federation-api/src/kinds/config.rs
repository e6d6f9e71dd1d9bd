//! `KubeFedConfig`: settings of the control plane. One object, `kubefed` in the system namespace, is used.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::type_config::{Scope, Switch};
use crate::time::GoDuration;

/// Settings of the control plane. Admission fills in the defaults on creation.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "core.kubefed.io",
    version = "v1beta1",
    kind = "KubeFedConfig",
    plural = "kubefedconfigs",
    namespaced,
    derive = "PartialEq",
    doc = "KubeFedConfig holds the settings of the control plane. Only the one named kubefed in the system namespace is used."
)]
#[serde(rename_all = "camelCase")]
pub struct KubeFedConfigSpec {
    /// The scope of the control plane: Namespaced (only its own namespace is a target) or Cluster (all namespaces are).
    pub scope: Scope,
    /// Delays of the controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller_duration: Option<ControllerDuration>,
    /// Leader election between controller processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_elect: Option<LeaderElect>,
    /// Features that are switched on or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_gates: Option<Vec<FeatureGate>>,
    /// How member clusters are probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_health_check: Option<ClusterHealthCheck>,
    /// Settings of propagation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_controller: Option<SyncController>,
    /// Settings of status collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_controller: Option<StatusController>,
}

/// Delays of the controllers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControllerDuration {
    /// Time to wait before reconciling on a healthy cluster. Default 20s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_delay: Option<GoDuration>,
    /// Time to wait before giving up on an unhealthy cluster. Default 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable_delay: Option<GoDuration>,
    /// Time to wait for the caches of a type to fill. Default 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_sync_timeout: Option<GoDuration>,
}

/// Leader election between controller processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeaderElect {
    /// The duration that non-leader candidates wait after observing a renewal before they try to take over. Default 15s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_duration: Option<GoDuration>,
    /// The time within which the leader must renew before it stops leading. Less than leaseDuration. Default 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_deadline: Option<GoDuration>,
    /// The time between attempts to acquire or renew. Default 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_period: Option<GoDuration>,
    /// KubeFed's lock kind, configmaps or endpoints: accepted; Koinon always locks with a Lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_lock: Option<String>,
}

/// One feature switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureGate {
    /// Name of the feature.
    pub name: String,
    /// Enabled or Disabled.
    pub configuration: Switch,
}

/// How member clusters are probed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterHealthCheck {
    /// How often to monitor the cluster health. Default 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<GoDuration>,
    /// Minimum consecutive failures for the cluster health to be considered failed after having succeeded. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<i64>,
    /// Minimum consecutive successes for the cluster health to be considered successful after having failed. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<i64>,
    /// Duration after which the cluster health check times out. Default 3s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// Settings of propagation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncController {
    /// The maximum number of concurrent reconciles per type. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_reconciles: Option<i64>,
    /// Whether to adopt pre-existing objects in member clusters: Enabled or Disabled. Default Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt_resources: Option<Switch>,
}

/// Settings of status collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusController {
    /// The maximum number of concurrent reconciles per type. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_reconciles: Option<i64>,
}

impl KubeFedConfigSpec {
    /// KubeFed's feature gates with their defaults, sorted by name.
    pub const FEATURE_GATES: [(&str, Switch); 3] = [
        ("PushReconciler", Switch::Enabled),
        ("RawResourceStatusCollection", Switch::Disabled),
        ("SchedulerPreferences", Switch::Enabled),
    ];

    /// A config of the given scope with every default filled in.
    #[must_use]
    pub fn with_defaults(scope: Scope) -> Self {
        let mut config = Self {
            scope,
            controller_duration: None,
            leader_elect: None,
            feature_gates: None,
            cluster_health_check: None,
            sync_controller: None,
            status_controller: None,
        };
        config.apply_defaults();
        config
    }

    /// Fills in every absent setting with KubeFed's default (admission does it on CREATE; readers do it again, so a
    /// config that was stored before admission existed is no different). Idempotent.
    pub fn apply_defaults(&mut self) {
        let secs = GoDuration::from_secs;
        let delays = self.controller_duration.get_or_insert_default();
        delays.available_delay.get_or_insert(secs(20));
        delays.unavailable_delay.get_or_insert(secs(60));
        delays.cache_sync_timeout.get_or_insert(secs(300));
        let elect = self.leader_elect.get_or_insert_default();
        elect.lease_duration.get_or_insert(secs(15));
        elect.renew_deadline.get_or_insert(secs(10));
        elect.retry_period.get_or_insert(secs(5));
        elect
            .resource_lock
            .get_or_insert_with(|| "configmaps".to_owned());
        let gates = self.feature_gates.get_or_insert_default();
        for (name, configuration) in Self::FEATURE_GATES {
            if !gates.iter().any(|gate| gate.name == name) {
                gates.push(FeatureGate {
                    name: name.to_owned(),
                    configuration,
                });
            }
        }
        gates.sort_by(|a, b| a.name.cmp(&b.name));
        let health = self.cluster_health_check.get_or_insert_default();
        health.period.get_or_insert(secs(10));
        health.timeout.get_or_insert(secs(3));
        health.failure_threshold.get_or_insert(3);
        health.success_threshold.get_or_insert(1);
        let sync = self.sync_controller.get_or_insert_default();
        sync.max_concurrent_reconciles.get_or_insert(1);
        sync.adopt_resources.get_or_insert(Switch::Enabled);
        self.status_controller
            .get_or_insert_default()
            .max_concurrent_reconciles
            .get_or_insert(1);
    }
}
