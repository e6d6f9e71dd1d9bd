//! A hub, two members, three cells, and the reconcilers over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation_api::FederatedTypeConfig;
use federation_api::crd::ConversionStrategy;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::FakeCluster;
use crate::cells::CellController;
use crate::clients::{Fence, GuardLayer};
use crate::context::Context;
use crate::events::Recorder;
use crate::hub_views::HubViews;
use crate::members::Members;
use crate::members::access::MemberAccess;
use crate::members::connect::{Connector, MemberConnectError};
use crate::metrics::Metrics;
use crate::namespaces::FederatedNamespaces;
use crate::propagation::Records;
use crate::runtime::{ControllerConfig, Delays, Settings};
use crate::types::TypeController;
use crate::work::{Backoff, Env, OwnedTask, Queue};

pub(crate) const FOOS: &str = "tutorial.my.domain/foos";
pub(crate) const FEDERATED_FOOS: &str = "types.kubefed.io/federatedfoos";
pub(crate) const RECORDS: &str = "core.kubefed.io/propagatedversions";
pub(crate) const CLUSTERS: &str = "core.kubefed.io/kubefedclusters";
pub(crate) const CELLS: &str = "koinon.io/cells";
const TYPE_CONFIGS: &str = "core.kubefed.io/federatedtypeconfigs";

struct ByName(BTreeMap<String, FakeCluster>);

impl Connector for ByName {
    fn connect(
        &self,
        name: &str,
        _: &MemberAccess,
        guard: &GuardLayer,
    ) -> Result<kube::Client, MemberConnectError> {
        Ok(self.0[name].guarded_client(guard))
    }
}

/// Hub `hub`, members `hz-1` (cells `rz00a`, `rz00b`) and `sh-1` (cell `rz01a`) of namespace `bank`, type Foo enabled.
pub(crate) struct World {
    pub(crate) hub: FakeCluster,
    pub(crate) hz: FakeCluster,
    pub(crate) sh: FakeCluster,
    /// KubeFedConfig's `adoptResources`; counts from the next start.
    pub(crate) adopt: bool,
    tasks: Vec<OwnedTask>,
}

impl World {
    /// The stored state, with nothing running.
    pub(crate) fn new() -> Self {
        let world = Self {
            hub: FakeCluster::default(),
            hz: FakeCluster::default(),
            sh: FakeCluster::default(),
            adopt: true,
            tasks: Vec::new(),
        };
        for name in ["hz-1", "sh-1"] {
            world.hub.seed(
                CLUSTERS,
                json!({
                    "apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
                    "metadata": {"name": name, "namespace": "fed"},
                    "spec": {"apiEndpoint": "https://127.0.0.1:1", "secretRef": {"name": name}},
                }),
            );
            world.hub.seed(
                "/secrets",
                json!({"metadata": {"name": name, "namespace": "fed"}, "data": {"token": "dG9rZW4="}}),
            );
        }
        world
            .hub
            .seed("/namespaces", json!({"metadata": {"name": "bank"}}));
        for (cell, cluster) in [("rz00a", "hz-1"), ("rz00b", "hz-1"), ("rz01a", "sh-1")] {
            world.cell("bank", cell, cluster);
        }
        world.hub.seed(TYPE_CONFIGS, foo_config());
        world
    }

    /// Stores a cell.
    pub(crate) fn cell(&self, namespace: &str, name: &str, cluster: &str) {
        self.hub.seed(
            CELLS,
            json!({
                "apiVersion": "koinon.io/v1alpha1", "kind": "Cell",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"clusterRef": {"name": cluster}},
            }),
        );
    }

    /// Starts all reconcilers, as a process that begins to lead would.
    pub(crate) fn start(&mut self) {
        let clusters = [("hz-1", &self.hz), ("sh-1", &self.sh)];
        let connector = ByName(
            clusters
                .map(|(name, fake)| (name.to_owned(), fake.clone()))
                .into(),
        );
        let config = ControllerConfig {
            namespace: "fed".to_owned(),
            delays: Some(Delays {
                available: Duration::from_secs(2),
                unavailable: Duration::from_secs(5),
            }),
            ..ControllerConfig::default()
        };
        let settings = Settings {
            adopt: self.adopt,
            ..Settings::new(&config, None)
        };
        let (env, metrics) = (Env::default(), Metrics::default());
        let members = Members::new(
            self.hub.client(),
            "fed",
            Arc::new(connector),
            settings.members,
            Fence::open(),
            env.clone(),
            metrics.clone(),
        );
        let (recorder, notices) = Recorder::new();
        let context = Arc::new(Context {
            hub_client: self.hub.client(),
            namespace: "fed".to_owned(),
            settings,
            conversion: ConversionStrategy::InProcess,
            env: env.clone(),
            members: Arc::clone(&members),
            cells: Arc::default(),
            namespaces: Arc::default(),
            federated_namespaces: FederatedNamespaces::default(),
            records: Records::default(),
            recorder,
            metrics,
            changes: broadcast::channel(64).0,
            cell_queue: Queue::new(Backoff::OBJECT, env.clone()),
        });
        let (hub_client, loading) = (self.hub.client(), Arc::clone(&context));
        let cells = CellController::new(Arc::clone(&context));
        let types = TypeController::new(Arc::clone(&context));
        self.tasks = vec![
            OwnedTask::spawn(members.run()),
            OwnedTask::spawn(notices.run(self.hub.client(), env)),
            OwnedTask::spawn(HubViews::new(context).run()),
            OwnedTask::spawn(cells.run()),
            OwnedTask::spawn(async move {
                loading.records.load(&hub_client).await.unwrap();
                types.run().await;
            }),
        ];
    }

    /// Ends all reconcilers at once, as a killed process would.
    pub(crate) async fn stop(&mut self) {
        for task in self.tasks.drain(..) {
            task.stop().await;
        }
    }

    /// Lets time pass.
    pub(crate) async fn settle(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Forgets the writes so far.
    pub(crate) fn forget_writes(&self) {
        for cluster in [&self.hub, &self.hz, &self.sh] {
            cluster.take_writes();
        }
    }

    /// Writes in the members since the last call.
    pub(crate) fn member_writes(&self) -> Vec<String> {
        let named = |name: &str, cluster: &FakeCluster| -> Vec<String> {
            cluster
                .take_writes()
                .iter()
                .map(|line| format!("{name}: {line}"))
                .collect()
        };
        [named("hz-1", &self.hz), named("sh-1", &self.sh)].concat()
    }

    /// Stores a FederatedFoo as a user of `bank` would.
    pub(crate) fn apply(&self, name: &str, spec: Value) {
        self.apply_in("bank", name, spec);
    }

    /// Stores a FederatedFoo of cells as a user would.
    pub(crate) fn apply_in(&self, namespace: &str, name: &str, spec: Value) {
        let stored = self.hub.get(FEDERATED_FOOS, namespace, name);
        if stored.is_null() {
            self.hub.seed(
                FEDERATED_FOOS,
                json!({
                    "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedFoo",
                    "metadata": {
                        "name": name, "namespace": namespace,
                        "annotations": {"koinon.io/topology-type": "cell"},
                    },
                    "spec": spec,
                }),
            );
        } else {
            self.hub.touch(FEDERATED_FOOS, namespace, name, |object| {
                object["spec"] = spec
            });
        }
    }

    /// `cell=reason version` of every member in the status, in order.
    pub(crate) fn status(&self, name: &str) -> Vec<String> {
        let object = self.hub.get(FEDERATED_FOOS, "bank", name);
        let word = |entry: &Value, field: &str| entry[field].as_str().unwrap_or("-").to_owned();
        object["status"]["clusters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| format!("{}={}", word(entry, "name"), word(entry, "reason")))
            .collect()
    }

    /// Status, reason of the Propagation condition.
    pub(crate) fn condition(&self, name: &str) -> String {
        let object = self.hub.get(FEDERATED_FOOS, "bank", name);
        let condition = &object["status"]["conditions"][0];
        format!(
            "{} {}",
            condition["status"].as_str().unwrap_or("-"),
            condition["reason"].as_str().unwrap_or("-")
        )
    }
}

/// The type config of Foo.
pub(crate) fn foo_config() -> Value {
    let config = json!({
        "apiVersion": "core.kubefed.io/v1beta1", "kind": "FederatedTypeConfig",
        "metadata": {"name": "foos.tutorial.my.domain", "namespace": "fed"},
        "spec": {
            "targetType": {"group": "tutorial.my.domain", "version": "v1", "kind": "Foo", "pluralName": "foos", "scope": "Namespaced"},
            "federatedType": {"group": "types.kubefed.io", "version": "v1beta1", "kind": "FederatedFoo", "pluralName": "federatedfoos", "scope": "Namespaced"},
            "propagation": "Enabled",
        },
    });
    let parsed: FederatedTypeConfig = serde_json::from_value(config.clone()).unwrap();
    assert!(parsed.propagation_enabled());
    config
}

/// A placement in these cells of `bank`.
pub(crate) fn cells(names: &[&str]) -> Value {
    let clusters: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": format!("{name}.bank")}))
        .collect();
    json!({"clusters": clusters})
}
