//! What all reconcilers share while this process leads.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_api::Cell;
use federation_api::crd::ConversionStrategy;
use federation_core::member::Member as MemberFacts;
use federation_core::tenancy::Tenancy;
use k8s_openapi::api::core::v1::Namespace;
use tokio::sync::broadcast;

use crate::events::Recorder;
use crate::hub::{ObjectKey, Store};
use crate::members::Members;
use crate::metrics::Metrics;
use crate::namespaces::FederatedNamespaces;
use crate::propagation::Records;
use crate::runtime::Settings;
use crate::work::{Env, Queue};

/// Something on the hub that federated objects depend on without being it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HubChange {
    /// A namespace's labels or its FederatedNamespace: every object in it may be placed differently.
    Namespace(String),
    /// Cells came, went or changed: every object may be placed differently.
    Cells,
}

/// Shared state. One per time of leading; nothing in it outlives leadership.
pub(crate) struct Context {
    pub(crate) hub_client: kube::Client,
    /// The system namespace.
    pub(crate) namespace: String,
    pub(crate) settings: Settings,
    pub(crate) conversion: ConversionStrategy,
    pub(crate) env: Env,
    pub(crate) members: Arc<Members>,
    pub(crate) cells: Arc<Store<Cell>>,
    pub(crate) namespaces: Arc<Store<Namespace>>,
    pub(crate) federated_namespaces: FederatedNamespaces,
    pub(crate) records: Records,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) changes: broadcast::Sender<HubChange>,
    /// Cells to look at. Propagation adds one whose member namespace is missing.
    pub(crate) cell_queue: Queue<ObjectKey>,
}

impl Context {
    /// All members as decisions see them: registered clusters, derived ones with their cell, each as ready as its
    /// physical cluster is right now.
    pub(crate) fn member_facts(&self) -> Vec<MemberFacts> {
        let physical = self.members.all();
        self.members
            .clusters
            .all()
            .into_iter()
            .filter(|(_, cluster)| cluster.metadata.deletion_timestamp.is_none())
            .filter_map(|(_, cluster)| {
                let cell = cluster
                    .derived_from()
                    .and_then(|(cell, namespace)| self.cells.get(&ObjectKey::new(namespace, cell)));
                let mut facts = MemberFacts::of(&cluster, cell.as_deref())?;
                facts.ready = physical
                    .get(cluster.physical_name())
                    .is_some_and(|member| member.is_ready());
                Some(facts)
            })
            .collect()
    }

    /// Tenancy of a federated object: of its hub namespace, or of its own labels if it has none.
    pub(crate) fn tenancy(
        &self,
        namespace: Option<&str>,
        own_labels: &BTreeMap<String, String>,
    ) -> Tenancy {
        match namespace {
            None => Tenancy::from_labels(own_labels),
            Some(namespace) => self
                .namespaces
                .get(&ObjectKey::new("", namespace))
                .and_then(|namespace| namespace.metadata.labels.as_ref().map(Tenancy::from_labels))
                .unwrap_or_default()
                .within(namespace),
        }
    }

    /// The namespace of the hub, if it exists.
    pub(crate) fn hub_namespace(&self, name: &str) -> Option<Arc<Namespace>> {
        self.namespaces.get(&ObjectKey::new("", name))
    }
}
