//! What the tests of controllers share.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{gc, namespace};
use crate::local::{Gvr, LocalClient};
use crate::status::ApiError;
use crate::testing;

pub(super) const NAMESPACES: Gvr<'static> = Gvr::new("", "v1", "namespaces");
pub(super) const CONFIGMAPS: Gvr<'static> = Gvr::new("", "v1", "configmaps");

/// A server's state with both controllers running, until it is dropped.
pub(super) struct Running {
    pub(super) client: LocalClient,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    pub(super) async fn start() -> Self {
        let api = testing::api().await;
        let stop = CancellationToken::new();
        let client = |name| LocalClient::new(api.clone(), name);
        tokio::spawn(namespace::run(
            client("namespaces"),
            "CA".to_owned(),
            stop.clone(),
        ));
        tokio::spawn(gc::run(client("gc"), stop.clone()));
        Self {
            client: client("test"),
            stop,
        }
    }

    pub(super) async fn namespace(&self, name: &str) {
        let made = self
            .client
            .create(NAMESPACES, "", &testing::namespace(name))
            .await;
        made.unwrap();
    }

    /// A ConfigMap in namespace `ns`; gives it back with its uid.
    pub(super) async fn configmap(&self, name: &str, metadata: Value) -> Value {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        object["metadata"]["name"] = name.into();
        self.client.create(CONFIGMAPS, "ns", &object).await.unwrap()
    }

    pub(super) async fn get(&self, gvr: Gvr<'_>, name: &str) -> Option<Value> {
        let namespace = if gvr == NAMESPACES { "" } else { "ns" };
        self.client.get(gvr, namespace, name).await.ok()
    }

    pub(super) async fn delete(&self, name: &str, policy: &str) -> Result<Value, ApiError> {
        let options = json!({"propagationPolicy": policy});
        self.client.delete(CONFIGMAPS, "ns", name, &options).await
    }

    /// Waits, not forever, until something holds.
    pub(super) async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        for _ in 0..500 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never happened: {what}");
    }

    pub(super) async fn until_gone(&self, gvr: Gvr<'static>, name: &str) {
        self.until(&format!("{name} goes"), || async {
            self.get(gvr, name).await.is_none()
        })
        .await;
    }
}

/// An owner reference to an object.
pub(super) fn owned_by(owner: &Value, block: bool) -> Value {
    json!({"ownerReferences": [reference(owner, block)]})
}

pub(super) fn reference(owner: &Value, block: bool) -> Value {
    json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"],
        "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": block})
}
