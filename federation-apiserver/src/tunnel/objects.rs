//! The hub's objects that the tunnel reads and writes.

use apiserver::local::{Gvr, LocalClient};
use apiserver::status::ApiError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_api::names::SYSTEM_NAMESPACE;
use http::StatusCode;
use serde_json::Value;

/// Secrets, as the API speaks of them.
pub(super) const SECRETS: Gvr<'static> = Gvr::new("", "v1", "secrets");
/// ConfigMaps, as the API speaks of them.
pub(super) const CONFIG_MAPS: Gvr<'static> = Gvr::new("", "v1", "configmaps");
/// Secrets, as the cache knows them.
pub(super) const STORED_SECRETS: &str = "/secrets";
/// Clusters, as the cache knows them.
pub(super) const STORED_CLUSTERS: &str = "core.kubefed.io/kubefedclusters";

/// An object of the system namespace as it is now, whichever process of the hub wrote it last.
pub(super) async fn get(
    hub: &LocalClient,
    gvr: Gvr<'_>,
    name: &str,
) -> Result<Option<Value>, ApiError> {
    hub.api().cache.fresh().await?;
    match hub.get(gvr, SYSTEM_NAMESPACE, name).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.code == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

/// A value of a Secret, if it is there and is text.
pub(super) fn secret_text(secret: &Value, key: &str) -> Option<String> {
    let encoded = secret["data"].get(key)?.as_str()?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// A value as a Secret's `data` holds it.
pub(super) fn encoded(text: &str) -> Value {
    Value::String(STANDARD.encode(text))
}
