//! What was last written where: the `PropagatedVersion`s of the hub, held in memory.
//!
//! They are listed once when leading begins; after that this process alone writes them.

use std::collections::HashMap;
use std::sync::Mutex;

use federation_api::kinds::PropagatedVersionStatus;
use federation_api::{ClusterPropagatedVersion, PropagatedVersion};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::clients::Failure;
use crate::hub::ObjectKey;

/// Records read in one request.
const PAGE: u32 = 500;

/// All records.
#[derive(Default)]
pub(crate) struct Records {
    held: Mutex<HashMap<ObjectKey, PropagatedVersionStatus>>,
}

impl Records {
    /// Lists what earlier leaders recorded.
    ///
    /// # Errors
    /// If the hub cannot be read: without the records everything would be rewritten, so leading must not begin.
    pub(crate) async fn load(&self, hub_client: &kube::Client) -> Result<(), kube::Error> {
        let namespaced = pages(&Api::<PropagatedVersion>::all(hub_client.clone()), |one| {
            (one.metadata, one.status)
        })
        .await?;
        let clustered = pages(
            &Api::<ClusterPropagatedVersion>::all(hub_client.clone()),
            |one| (one.metadata, one.status),
        )
        .await?;
        let all = namespaced
            .into_iter()
            .chain(clustered)
            .map(|(meta, status)| (ObjectKey::of(&meta), status.unwrap_or_default()))
            .collect();
        *self.lock() = all;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectKey, PropagatedVersionStatus>> {
        self.held.lock().expect("no holder of this lock panics")
    }

    /// The record, if there is one.
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<PropagatedVersionStatus> {
        self.lock().get(key).cloned()
    }

    /// True if a record says that an object is (or was last seen) in the cluster of that name.
    pub(crate) fn uses(&self, cluster: &str) -> bool {
        self.lock().values().any(|record| {
            record
                .cluster_versions
                .iter()
                .chain(&record.held_versions)
                .any(|entry| entry.cluster_name == cluster)
        })
    }

    /// Forgets a record whose owner is gone; the hub collects the stored object.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    /// Stores a record. Writes nothing if it is held already.
    ///
    /// # Errors
    /// If the hub refuses. The memory then still holds the old record, so the next reconcile tries again.
    pub(crate) async fn save(
        &self,
        hub_client: &kube::Client,
        key: &ObjectKey,
        owner: &OwnerReference,
        record: PropagatedVersionStatus,
    ) -> Result<(), kube::Error> {
        let held = self.get(key);
        if held.as_ref() == Some(&record) {
            return Ok(());
        }
        match key.namespace() {
            Some(namespace) => {
                let api: Api<PropagatedVersion> = Api::namespaced(hub_client.clone(), namespace);
                let fresh = PropagatedVersion {
                    metadata: metadata(key, owner),
                    spec: Default::default(),
                    status: None,
                };
                write(&api, &key.name, held.is_some(), &fresh, &record).await?;
            }
            None => {
                let api: Api<ClusterPropagatedVersion> = Api::all(hub_client.clone());
                let fresh = ClusterPropagatedVersion {
                    metadata: metadata(key, owner),
                    spec: Default::default(),
                    status: None,
                };
                write(&api, &key.name, held.is_some(), &fresh, &record).await?;
            }
        }
        self.lock().insert(key.clone(), record);
        Ok(())
    }
}

fn metadata(key: &ObjectKey, owner: &OwnerReference) -> ObjectMeta {
    ObjectMeta {
        name: Some(key.name.clone()),
        namespace: key.namespace().map(str::to_owned),
        owner_references: Some(vec![owner.clone()]),
        ..ObjectMeta::default()
    }
}

async fn pages<K>(
    api: &Api<K>,
    part: impl Fn(K) -> (ObjectMeta, Option<PropagatedVersionStatus>),
) -> Result<Vec<(ObjectMeta, Option<PropagatedVersionStatus>)>, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut all = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = match api.list(&params).await {
            Ok(page) => page,
            // The kind is not installed: nothing was ever recorded.
            Err(error) if Failure::of(&error) == Failure::NotFound => return Ok(all),
            Err(error) => return Err(error),
        };
        all.extend(page.items.into_iter().map(&part));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}

/// Creates the record if it is new, then writes its status: the record is all status, and creation drops that.
async fn write<K>(
    api: &Api<K>,
    name: &str,
    exists: bool,
    fresh: &K,
    record: &PropagatedVersionStatus,
) -> Result<(), kube::Error>
where
    K: Resource + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    let mut body = json!(record);
    if record.held_versions.is_empty() {
        body["heldVersions"] = serde_json::Value::Null;
    }
    let patch = Patch::Merge(json!({"status": body}));
    if exists {
        match api
            .patch_status(name, &PatchParams::default(), &patch)
            .await
        {
            Err(error) if Failure::of(&error) == Failure::NotFound => {}
            other => return other.map(|_| ()),
        }
    }
    match api.create(&PostParams::default(), fresh).await {
        Err(error) if Failure::of(&error) == Failure::AlreadyExists => {}
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    api.patch_status(name, &PatchParams::default(), &patch)
        .await
        .map(|_| ())
}
