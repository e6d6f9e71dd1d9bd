//! What admission looks up: the questions, and their answers from the server's cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use apiserver::cache::Cache;
use apiserver::kinds::Registry;
use apiserver::object::Obj;
use apiserver::status::ApiError;
use federation_api::federated::southbound::FederatedObject;
use federation_api::names::TYPES_GROUP;
use federation_api::{Cell, KubeFedCluster};
use serde::de::DeserializeOwned;

const CELLS: &str = "koinon.io/cells";
const CLUSTERS: &str = "core.kubefed.io/kubefedclusters";

/// The hub's objects, as they are now or were a moment ago.
pub(crate) trait Facts {
    /// All cells. What cannot be read as one was stored before there was a schema, and is left out.
    fn cells(&self) -> Vec<Cell>;

    /// All member clusters, derived ones included.
    fn clusters(&self) -> Vec<KubeFedCluster>;

    /// Is there a cell of that name?
    fn has_cell(&self, namespace: &str, name: &str) -> bool;

    /// The labels of a hub namespace; `None` if there is none of that name.
    fn namespace_labels(&self, namespace: &str) -> Option<BTreeMap<String, String>>;

    /// The federated objects of a namespace, each with `<resource>/<name>`, in stored form.
    fn federated_objects(&self, namespace: &str) -> Vec<(String, FederatedObject)>;
}

/// Answers from the cache of the server that this process is.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    cache: Cache,
    registry: Arc<Registry>,
}

impl Cached {
    pub(super) fn new(cache: Cache, registry: Arc<Registry>) -> Self {
        Self { cache, registry }
    }

    /// Waits until everything committed before the call is among the answers.
    pub(super) async fn fresh(&self) -> Result<(), ApiError> {
        self.cache.fresh().await
    }

    fn all<T: DeserializeOwned>(&self, resource: &str) -> Vec<T> {
        let snapshot = self.cache.list(resource);
        let read = |object: &Arc<Obj>| serde_json::from_slice(&object.bytes).ok();
        snapshot.objects.values().filter_map(read).collect()
    }
}

impl Facts for Cached {
    fn cells(&self) -> Vec<Cell> {
        self.all(CELLS)
    }

    fn clusters(&self) -> Vec<KubeFedCluster> {
        self.all(CLUSTERS)
    }

    fn has_cell(&self, namespace: &str, name: &str) -> bool {
        self.cache.get(CELLS, namespace, name).is_some()
    }

    fn namespace_labels(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        let object = self.cache.get("/namespaces", "", namespace)?;
        Some(object.meta.labels.to_map())
    }

    fn federated_objects(&self, namespace: &str) -> Vec<(String, FederatedObject)> {
        let kinds = self.registry.kinds();
        kinds
            .iter()
            .filter(|kind| &*kind.group == TYPES_GROUP)
            .flat_map(|kind| {
                let snapshot = self.cache.list(&kind.resource);
                let found: Vec<(String, FederatedObject)> = snapshot
                    .range(Some(namespace), None)
                    .filter_map(|object| {
                        let name = format!("{}/{}", kind.plural, object.name());
                        Some((name, serde_json::from_slice(&object.bytes).ok()?))
                    })
                    .collect();
                found
            })
            .collect()
    }
}
