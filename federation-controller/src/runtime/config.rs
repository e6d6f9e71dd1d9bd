//! Settings: of the process (flags) and of the control plane (`KubeFedConfig`).

use std::net::SocketAddr;
use std::time::Duration;

use federation_api::crd::ConversionStrategy;
use federation_api::kinds::{KubeFedConfigSpec, Scope, Switch};
use federation_api::{GoDuration, names};

use crate::members::MembersConfig;
use crate::members::health::Thresholds;
use crate::work::RateLimit;

/// What the process is told. Everything has a default.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// Namespace of the hub that holds clusters, their Secrets, type configs and the KubeFedConfig.
    pub namespace: String,
    /// Elect a leader by Lease. Switch it off only where nothing else can run a second controller.
    pub leader_elect: bool,
    /// Address of `/healthz` and `/readyz`; `None` serves none.
    pub healthz_address: Option<SocketAddr>,
    /// Address of `/metrics`; `None` serves none.
    pub metrics_address: Option<SocketAddr>,
    /// Requests to the hub.
    pub hub_rate: RateLimit,
    /// Requests to one member.
    pub member_rate: RateLimit,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How generated `Federated<Kind>` definitions are converted: in process by our hub, or by a webhook.
    pub conversion: ConversionStrategy,
    /// Overrides the delays of the stored KubeFedConfig: for trying things out, where a minute is long.
    pub delays: Option<Delays>,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            namespace: names::SYSTEM_NAMESPACE.to_owned(),
            leader_elect: true,
            healthz_address: None,
            metrics_address: None,
            hub_rate: RateLimit::HUB,
            member_rate: RateLimit::MEMBER,
            request_timeout: Duration::from_secs(15),
            conversion: ConversionStrategy::InProcess,
            delays: None,
        }
    }
}

/// `controllerDuration` of the KubeFedConfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// After an outage, how long a member must be ready before all objects are compared with it.
    pub available: Duration,
    /// How long a member must be not ready before objects that nobody touches say so.
    pub unavailable: Duration,
}

/// Times of the leader election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elect {
    /// How long others wait after the last renewal they saw.
    pub(crate) lease_duration: Duration,
    /// How long the leader may write after the last renewal it sent. Less than `lease_duration`.
    pub(crate) renew_deadline: Duration,
    /// Time between two tries.
    pub(crate) retry_period: Duration,
}

/// The settings that hold while this process leads.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) scope: Scope,
    pub(crate) delays: Delays,
    pub(crate) elect: Elect,
    pub(crate) members: MembersConfig,
    pub(crate) adopt: bool,
    /// Whether types are propagated at all (`PushReconciler`).
    pub(crate) push: bool,
    /// Federated objects of one type handled at once.
    pub(crate) concurrency: usize,
}

/// Federated objects of one type that are handled at once when the KubeFedConfig says nothing else (KubeFed: 1). A
/// reconcile is a few kilobytes and mostly waits for members.
const CONCURRENCY: usize = 64;
/// Operations under way in one member at once.
const MEMBER_CONCURRENCY: usize = 64;
/// Operations that may wait for one member before more are put off.
const MEMBER_QUEUE: usize = 4096;

impl Settings {
    /// The settings that a stored KubeFedConfig (or its defaults) and the flags make together.
    pub(crate) fn new(config: &ControllerConfig, stored: Option<KubeFedConfigSpec>) -> Self {
        let mut spec = stored.unwrap_or_else(|| KubeFedConfigSpec::with_defaults(Scope::Cluster));
        spec.apply_defaults();
        let delays = spec.controller_duration.unwrap_or_default();
        let elect = spec.leader_elect.unwrap_or_default();
        let health = spec.cluster_health_check.unwrap_or_default();
        let sync = spec.sync_controller.unwrap_or_default();
        let time = |set: Option<GoDuration>, fallback: u64| {
            set.unwrap_or(GoDuration::from_secs(fallback)).get()
        };
        let count = |set: Option<i64>, fallback: u32| {
            set.and_then(|set| u32::try_from(set).ok())
                .unwrap_or(fallback)
        };
        let gates = spec.feature_gates.unwrap_or_default();
        let asked = sync.max_concurrent_reconciles.unwrap_or(1);
        Self {
            scope: spec.scope,
            delays: config.delays.unwrap_or(Delays {
                available: time(delays.available_delay, 20),
                unavailable: time(delays.unavailable_delay, 60),
            }),
            elect: Elect {
                lease_duration: time(elect.lease_duration, 15),
                renew_deadline: time(elect.renew_deadline, 10),
                retry_period: time(elect.retry_period, 5),
            },
            members: MembersConfig {
                period: time(health.period, 10),
                timeout: time(health.timeout, 3),
                thresholds: Thresholds {
                    failure: count(health.failure_threshold, 3),
                    success: count(health.success_threshold, 1),
                },
                rate: config.member_rate,
                request_timeout: config.request_timeout,
                concurrency: MEMBER_CONCURRENCY,
                queue: MEMBER_QUEUE,
            },
            adopt: sync.adopt_resources != Some(Switch::Disabled),
            push: !gates.iter().any(|gate| {
                gate.name == "PushReconciler" && gate.configuration == Switch::Disabled
            }),
            // KubeFed's default of 1 cannot be told from a wish for 1; nobody is served by it.
            concurrency: usize::try_from(asked).unwrap_or(1).max(CONCURRENCY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubefeds_defaults_hold_without_a_stored_config() {
        let settings = Settings::new(&ControllerConfig::default(), None);
        assert_eq!(settings.delays.available, Duration::from_secs(20));
        assert_eq!(settings.elect.renew_deadline, Duration::from_secs(10));
        assert_eq!(
            settings.members.thresholds,
            Thresholds {
                failure: 3,
                success: 1
            }
        );
        assert!(settings.adopt && settings.push);
        assert_eq!(settings.scope, Scope::Cluster);
    }

    #[test]
    fn flags_and_the_stored_config_are_obeyed() {
        let mut spec = KubeFedConfigSpec::with_defaults(Scope::Namespaced);
        spec.sync_controller.as_mut().unwrap().adopt_resources = Some(Switch::Disabled);
        spec.sync_controller
            .as_mut()
            .unwrap()
            .max_concurrent_reconciles = Some(200);
        spec.feature_gates.as_mut().unwrap()[0].configuration = Switch::Disabled;
        let delays = Delays {
            available: Duration::ZERO,
            unavailable: Duration::from_secs(1),
        };
        let config = ControllerConfig {
            delays: Some(delays),
            ..ControllerConfig::default()
        };
        let settings = Settings::new(&config, Some(spec));
        assert_eq!(settings.delays, delays);
        assert_eq!(settings.concurrency, 200);
        assert!(!settings.adopt && !settings.push);
        assert_eq!(settings.scope, Scope::Namespaced);
    }
}
