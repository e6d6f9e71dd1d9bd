//! What operators measure. Names are KubeFed's where it had them.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClusterState {
    state: &'static str,
    cluster: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Action {
    action: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Controller {
    controller: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ControllerResult {
    controller: String,
    result: &'static str,
}

/// All metrics of one process. Cheap to clone; clones share the numbers.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    clusters: Family<ClusterState, Gauge>,
    joined: Gauge,
    operations: Family<Action, Histogram>,
    reconciles: Histogram,
    runs: Family<ControllerResult, Counter>,
    depth: Family<Controller, Gauge>,
    leader: Gauge,
}

fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let clusters = Family::<ClusterState, Gauge>::default();
        registry.register(
            "kubefedcluster_total",
            "Member clusters by state",
            clusters.clone(),
        );
        let joined = Gauge::default();
        registry.register(
            "joined_cluster_total",
            "Member clusters that are registered",
            joined.clone(),
        );
        let operations = Family::<Action, Histogram>::new_with_constructor(latency);
        registry.register_with_unit(
            "dispatch_operation_duration",
            "Time of an operation in a member",
            Unit::Seconds,
            operations.clone(),
        );
        let reconciles = latency();
        registry.register_with_unit(
            "reconcile_federated_resources_duration",
            "Time of the reconcile of one federated object",
            Unit::Seconds,
            reconciles.clone(),
        );
        let runs = Family::<ControllerResult, Counter>::default();
        registry.register(
            "controller_runtime_reconcile",
            "Reconciles by controller and result",
            runs.clone(),
        );
        let depth = Family::<Controller, Gauge>::default();
        registry.register(
            "workqueue_depth",
            "Objects that wait for a reconcile",
            depth.clone(),
        );
        let leader = Gauge::default();
        registry.register(
            "leader_election_master_status",
            "1 while this process leads",
            leader.clone(),
        );
        Self {
            inner: Arc::new(Inner {
                registry,
                clusters,
                joined,
                operations,
                reconciles,
                runs,
                depth,
                leader,
            }),
        }
    }
}

impl Metrics {
    /// Notes whether a cluster is ready.
    pub fn cluster_ready(&self, cluster: &str, ready: bool) {
        for (state, value) in [("ready", ready), ("notready", !ready)] {
            let labels = ClusterState {
                state,
                cluster: cluster.to_owned(),
            };
            self.inner
                .clusters
                .get_or_create(&labels)
                .set(i64::from(value));
        }
    }

    /// Forgets a cluster that was unregistered.
    pub fn cluster_gone(&self, cluster: &str) {
        for state in ["ready", "notready"] {
            let labels = ClusterState {
                state,
                cluster: cluster.to_owned(),
            };
            self.inner.clusters.remove(&labels);
        }
    }

    /// Notes how many clusters are registered.
    pub fn joined_clusters(&self, count: usize) {
        self.inner
            .joined
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Notes one operation in a member: `create`, `update`, `delete`, `label`.
    pub fn operation(&self, action: &'static str, took: Duration) {
        self.inner
            .operations
            .get_or_create(&Action { action })
            .observe(took.as_secs_f64());
    }

    /// Notes one reconcile of a federated object.
    pub fn reconciled(&self, controller: &str, result: &'static str, took: Duration) {
        self.inner.reconciles.observe(took.as_secs_f64());
        self.inner
            .runs
            .get_or_create(&ControllerResult {
                controller: controller.to_owned(),
                result,
            })
            .inc();
    }

    /// Notes how many objects wait in a controller's queue.
    pub fn depth(&self, controller: &str, depth: usize) {
        self.inner
            .depth
            .get_or_create(&Controller {
                controller: controller.to_owned(),
            })
            .set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// Notes whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.inner.leader.set(i64::from(leads));
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.inner.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kubefeds() {
        let metrics = Metrics::default();
        metrics.cluster_ready("hz-1", true);
        metrics.operation("create", Duration::from_millis(5));
        metrics.reconciled("deployments.apps", "success", Duration::from_millis(5));
        let text = metrics.render();
        for line in [
            "kubefedcluster_total{state=\"ready\",cluster=\"hz-1\"} 1",
            "dispatch_operation_duration_seconds_count{action=\"create\"} 1",
            "reconcile_federated_resources_duration_seconds_count 1",
            "controller_runtime_reconcile_total{controller=\"deployments.apps\",result=\"success\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        metrics.cluster_gone("hz-1");
        assert!(!metrics.render().contains("hz-1"));
    }
}
