//! What admission looks up, from watches of the cluster, or asked for where those may be behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation_api::federated::southbound::FederatedObject;
use federation_api::names::SOUTHBOUND_API_VERSION;
use federation_api::{Cell, KubeFedCluster};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::watched::{Watched, watch};
use crate::admission::{Facts, Needs};

/// The API server that asks waits ten seconds for all of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Something cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    #[error("what the object refers to cannot be looked up")]
    Api(#[from] kube::Error),
    #[error("what the object refers to cannot be looked up in time")]
    Late(#[from] tokio::time::error::Elapsed),
}

/// Looks things up.
pub(super) struct Lookups {
    client: Client,
    cells: Watched<Cell>,
    clusters: Watched<KubeFedCluster>,
    namespaces: Watched<Namespace>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    cells: Vec<Cell>,
    clusters: Vec<KubeFedCluster>,
    /// The one namespace that was asked about.
    namespace_labels: Option<BTreeMap<String, String>>,
    federated: Vec<(String, FederatedObject)>,
    /// Whether it may be behind.
    pub(super) is_cached: bool,
}

impl Facts for Found {
    fn cells(&self) -> Vec<Cell> {
        self.cells.clone()
    }

    fn clusters(&self) -> Vec<KubeFedCluster> {
        self.clusters.clone()
    }

    fn has_cell(&self, namespace: &str, name: &str) -> bool {
        self.cells.iter().any(|cell| {
            cell.metadata.name.as_deref() == Some(name)
                && cell.metadata.namespace.as_deref() == Some(namespace)
        })
    }

    fn namespace_labels(&self, _namespace: &str) -> Option<BTreeMap<String, String>> {
        self.namespace_labels.clone()
    }

    fn federated_objects(&self, _namespace: &str) -> Vec<(String, FederatedObject)> {
        self.federated.clone()
    }
}

impl Lookups {
    /// Follows what is looked up often; the work runs until dropped.
    pub(super) fn follow(client: &Client) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let changed = Arc::new(Notify::new());
        let config = watcher::Config::default;
        let (cells, a) = watch(Api::all(client.clone()), config(), (), changed.clone());
        let (clusters, b) = watch(Api::all(client.clone()), config(), (), changed.clone());
        let (namespaces, c) = watch(Api::all(client.clone()), config(), (), changed);
        let lookups = Self {
            client: client.clone(),
            cells,
            clusters,
            namespaces,
        };
        let work = async move {
            tokio::join!(a, b, c);
        };
        (lookups, work)
    }

    /// What is needed, from the watches if they have it.
    ///
    /// # Errors
    /// It had to be asked for, and the API server did not answer.
    pub(super) async fn find(&self, needs: Needs, namespace: &str) -> Result<Found, LookupError> {
        let synced =
            self.cells.is_synced() && self.clusters.is_synced() && self.namespaces.is_synced();
        match needs {
            Needs::Nothing => Ok(Found::default()),
            Needs::Topology if synced => Ok(self.cached(namespace)),
            Needs::Topology | Needs::Placed => self.ask(needs, namespace).await,
        }
    }

    /// What is needed, as it is now.
    ///
    /// # Errors
    /// The API server did not answer.
    pub(super) async fn ask(&self, needs: Needs, namespace: &str) -> Result<Found, LookupError> {
        tokio::time::timeout(PATIENCE, self.ask_all(needs, namespace)).await?
    }

    fn cached(&self, namespace: &str) -> Found {
        let named = |one: &Arc<Namespace>| one.metadata.name.as_deref() == Some(namespace);
        let found = self.namespaces.all().into_iter().find(named);
        Found {
            cells: self
                .cells
                .all()
                .iter()
                .map(|one| Cell::clone(one))
                .collect(),
            clusters: self
                .clusters
                .all()
                .iter()
                .map(|one| KubeFedCluster::clone(one))
                .collect(),
            namespace_labels: found.map(|one| one.metadata.labels.clone().unwrap_or_default()),
            federated: Vec::new(),
            is_cached: true,
        }
    }

    async fn ask_all(&self, needs: Needs, namespace: &str) -> Result<Found, LookupError> {
        let labels = async {
            if namespace.is_empty() {
                return Ok(None);
            }
            let found = Api::<Namespace>::all(self.client.clone())
                .get_opt(namespace)
                .await?;
            Ok::<_, kube::Error>(found.map(|one| one.metadata.labels.unwrap_or_default()))
        };
        let federated = async {
            match needs {
                Needs::Placed => self.federated(namespace).await,
                Needs::Nothing | Needs::Topology => Ok(Vec::new()),
            }
        };
        let (cells, clusters, namespace_labels, federated) =
            tokio::try_join!(self.list(), self.list(), labels, federated)?;
        Ok(Found {
            cells,
            clusters,
            namespace_labels,
            federated,
            is_cached: false,
        })
    }

    async fn list<K>(&self) -> Result<Vec<K>, kube::Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.client.clone());
        Ok(api.list(&ListParams::default()).await?.items)
    }

    /// All federated objects of a namespace, in stored form, so that nothing is converted for this.
    async fn federated(
        &self,
        namespace: &str,
    ) -> Result<Vec<(String, FederatedObject)>, kube::Error> {
        let served = self
            .client
            .list_api_group_resources(SOUTHBOUND_API_VERSION)
            .await;
        let kinds = match served {
            Ok(list) => list.resources,
            Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut all = Vec::new();
        for kind in kinds {
            if !kind.namespaced || kind.name.contains('/') {
                continue;
            }
            let (group, version) = federation_api::names::split_api_version(SOUTHBOUND_API_VERSION);
            let gvk = GroupVersionKind::gvk(group, version, &kind.kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, &kind.name);
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), namespace, &resource);
            for object in api.list(&ListParams::default()).await?.items {
                let name = object.metadata.name.clone().unwrap_or_default();
                let read = serde_json::to_value(object).and_then(serde_json::from_value);
                if let Ok(object) = read {
                    all.push((format!("{}/{name}", kind.name), object));
                }
            }
        }
        Ok(all)
    }
}
