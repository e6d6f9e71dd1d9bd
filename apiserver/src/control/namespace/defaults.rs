//! What every live namespace has.

use apiserver_store::Key;
use serde_json::json;

use crate::local::{Gvr, LocalClient};
use crate::status::ApiError;

const ACCOUNTS: Gvr<'static> = Gvr::new("", "v1", "serviceaccounts");
const ACCOUNT_RESOURCE: &str = "/serviceaccounts";
const ACCOUNT: &str = "default";

const CONFIGMAPS: Gvr<'static> = Gvr::new("", "v1", "configmaps");
const CONFIGMAP_RESOURCE: &str = "/configmaps";
const ROOT_CA: &str = "kube-root-ca.crt";

/// Is it one of them?
pub(super) fn is_default(key: &Key) -> bool {
    matches!(
        (&*key.resource, &*key.name),
        (ACCOUNT_RESOURCE, ACCOUNT) | (CONFIGMAP_RESOURCE, ROOT_CA)
    )
}

/// Makes what is missing, and puts back the certificate if somebody changed it.
pub(super) async fn ensure(
    client: &LocalClient,
    namespace: &str,
    ca_pem: &str,
) -> Result<(), ApiError> {
    let api = client.api();
    let kinds = api.registry.kinds();
    let is_served = |gvr: Gvr<'_>| kinds.resource(gvr.group, gvr.resource).is_some();
    if is_served(ACCOUNTS)
        && api
            .cache
            .get(ACCOUNT_RESOURCE, namespace, ACCOUNT)
            .is_none()
    {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "namespace": namespace}});
        unless_there(client.create(ACCOUNTS, namespace, &account).await)?;
    }
    if !is_served(CONFIGMAPS) {
        return Ok(());
    }
    let data = json!({"ca.crt": ca_pem});
    match api.cache.get(CONFIGMAP_RESOURCE, namespace, ROOT_CA) {
        None => {
            let bundle = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": ROOT_CA, "namespace": namespace, "annotations": {
                "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
            }}});
            unless_there(client.create(CONFIGMAPS, namespace, &bundle).await)
        }
        Some(found) if found.meta.deletion_timestamp.is_none() => {
            let mut bundle = found.to_value();
            if bundle["data"] == data {
                return Ok(());
            }
            bundle["data"] = data;
            client.update(CONFIGMAPS, &bundle).await.map(|_| ())
        }
        Some(_) => Ok(()),
    }
}

/// Somebody else may have made it, or the namespace may have begun to go meanwhile: its own event follows.
fn unless_there<T>(result: Result<T, ApiError>) -> Result<(), ApiError> {
    match result {
        Err(error) if !matches!(error.reason, "AlreadyExists" | "Forbidden" | "NotFound") => {
            Err(error)
        }
        _ => Ok(()),
    }
}
