//! Namespaces: what each has from the beginning, and how one goes
//! (`k8s.io/kubernetes/pkg/controller/namespace/deletion`, `…/serviceaccount`, `…/certificates/rootcacertpublisher`).
//!
//! A live namespace has a ServiceAccount `default` and a ConfigMap `kube-root-ca.crt`. A namespace that is being deleted
//! loses everything in it, of every kind that is served; when nothing is left its finalizer `kubernetes` is taken, which
//! deletes it. What finalizers hold is waited for and named in its conditions.

mod conditions;
mod content;
mod defaults;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use apiserver_store::ChangeKind;
use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::work::{self, Worker};
use crate::cache::Event;
use crate::local::{Gvr, LocalClient};
use crate::object::Obj;
use crate::status::ApiError;

const NAMESPACES: Gvr<'static> = Gvr::new("", "v1", "namespaces");
const NAMESPACE_RESOURCE: &str = "/namespaces";

/// Runs until `stop`. `ca_pem` is what clients in the cluster may trust: it goes into every `kube-root-ca.crt`.
pub(crate) async fn run(client: LocalClient, ca_pem: String, stop: CancellationToken) {
    let cache = client.api().cache.clone();
    let worker = Namespaces {
        client,
        ca_pem,
        gone: Mutex::default(),
    };
    work::run(worker, cache, stop).await;
}

struct Namespaces {
    client: LocalClient,
    ca_pem: String,
    /// Namespaces that went while this process ran: what a late write left in them goes too.
    gone: Mutex<BTreeSet<Arc<str>>>,
}

impl Namespaces {
    fn gone(&self) -> std::sync::MutexGuard<'_, BTreeSet<Arc<str>>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Option<Arc<Obj>> {
        self.client.api().cache.get(NAMESPACE_RESOURCE, "", name)
    }

    async fn end(&self, namespace: &Obj) -> Result<(), ApiError> {
        let left = content::delete(&self.client, namespace.name()).await;
        if left.is_empty() {
            return self.release(namespace).await;
        }
        let mut value = namespace.to_value();
        let now = self.client.api().seams.now_rfc3339();
        if conditions::describe(&mut value, &left, &now) {
            self.client
                .update_subresource(NAMESPACES, "status", &value)
                .await?;
        }
        match left.error {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Takes the finalizer off; the namespace goes with it unless other finalizers hold it.
    async fn release(&self, namespace: &Obj) -> Result<(), ApiError> {
        let mut value = namespace.to_value();
        let finalizers = value.pointer_mut("/spec/finalizers");
        let Some(Value::Array(finalizers)) = finalizers else {
            return Ok(());
        };
        let before = finalizers.len();
        finalizers.retain(|finalizer| finalizer != "kubernetes");
        if finalizers.len() == before {
            return Ok(());
        }
        self.client
            .update_subresource(NAMESPACES, "finalize", &value)
            .await
            .map(|_| ())
    }
}

#[async_trait]
impl Worker for Namespaces {
    type Key = Arc<str>;

    fn touched(&self, event: &Event) -> Vec<Arc<str>> {
        let key = &event.object.key;
        if &*key.resource == NAMESPACE_RESOURCE {
            if event.kind == ChangeKind::Deleted {
                self.gone().insert(key.name.clone());
            } else {
                self.gone().remove(&key.name);
            }
            return vec![key.name.clone()];
        }
        let namespace = &key.namespace;
        if namespace.is_empty() {
            return Vec::new();
        }
        let concerns = match self.find(namespace) {
            None => event.kind == ChangeKind::Created && self.gone().contains(namespace),
            Some(found) if found.meta.deletion_timestamp.is_some() => true,
            Some(_) => event.kind != ChangeKind::Created && defaults::is_default(key),
        };
        if concerns {
            vec![namespace.clone()]
        } else {
            Vec::new()
        }
    }

    fn all(&self) -> Vec<Arc<str>> {
        let namespaces = self.client.api().cache.list(NAMESPACE_RESOURCE);
        let names = namespaces.objects.keys().map(|name| name.name.clone());
        names.collect()
    }

    async fn settle(&self, name: &Arc<str>) -> Result<(), ApiError> {
        self.client.api().cache.fresh().await?;
        match self.find(name) {
            Some(namespace) if namespace.meta.deletion_timestamp.is_some() => {
                self.end(&namespace).await
            }
            Some(_) => defaults::ensure(&self.client, name, &self.ca_pem).await,
            None if self.gone().contains(name) => {
                let left = content::delete(&self.client, name).await;
                left.error.map_or(Ok(()), Err)
            }
            None => Ok(()),
        }
    }
}
