//! Server-side apply and deletion of objects of any kind.

use anyhow::Context;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::Value;

/// Who applies. What others set in the same objects, such as the webhook its CA, stays.
const MANAGER: &str = "fedctl";

/// Applies an object and says what became of it, as kubectl does.
///
/// # Errors
/// The API server refuses, or does not answer.
pub(in crate::commands) async fn apply(
    hub_client: &Client,
    object: &Value,
    is_dry: bool,
) -> anyhow::Result<String> {
    let (api, name, title) = target(hub_client, object)?;
    let before = api
        .get_opt(&name)
        .await
        .with_context(|| format!("cannot read {title}"))?;
    let mut params = PatchParams::apply(MANAGER).force();
    params.dry_run = is_dry;
    let after = api
        .patch(&name, &params, &Patch::Apply(object))
        .await
        .with_context(|| format!("cannot apply {title}"))?;
    let outcome = match before {
        None => "created",
        Some(before) if before.metadata.resource_version == after.metadata.resource_version => {
            "unchanged"
        }
        Some(_) => "configured",
    };
    Ok(format!("{title} {outcome}"))
}

/// Deletes an object if it is there, and says what became of it; `None` if it is gone already.
///
/// # Errors
/// The API server refuses, or does not answer.
pub(in crate::commands) async fn delete(
    hub_client: &Client,
    object: &Value,
    is_dry: bool,
) -> anyhow::Result<Option<String>> {
    let (api, name, title) = target(hub_client, object)?;
    let params = DeleteParams {
        dry_run: is_dry,
        ..DeleteParams::background()
    };
    match api.delete(&name, &params).await {
        Ok(_) => Ok(Some(format!("{title} deleted"))),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot delete {title}")),
    }
}

/// Where an object lives, its name, and what people call it.
fn target(
    hub_client: &Client,
    object: &Value,
) -> anyhow::Result<(Api<DynamicObject>, String, String)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").context("an object without a kind")?;
    let name = text("/metadata/name").context("an object without a name")?;
    let (group, version) =
        federation_api::names::split_api_version(text("/apiVersion").unwrap_or_default());
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api = match text("/metadata/namespace") {
        Some(namespace) => Api::namespaced_with(hub_client.clone(), namespace, &resource),
        None => Api::all_with(hub_client.clone(), &resource),
    };
    let qualified = match group {
        "" => kind.to_lowercase(),
        group => format!("{}.{group}", kind.to_lowercase()),
    };
    Ok((api, name.to_owned(), format!("{qualified}/{name}")))
}
