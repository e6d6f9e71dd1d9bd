//! Converting many parsed objects of one kind at once.

use serde_json::Value;

use super::{events, metadata};
use crate::api::Api;
use crate::kinds::{Kind, KindVersion, Origin};
use crate::object::is_api_version;
use crate::status::ApiError;

/// Every object at the target version, in order; custom resources defaulted and pruned.
pub(super) async fn convert(
    api: &Api,
    kind: &Kind,
    mut objects: Vec<Value>,
    target: &KindVersion,
) -> Result<Vec<Value>, ApiError> {
    let api_version = kind.api_version(&target.name);
    if kind.is_custom() {
        for object in &mut objects {
            settle_at_source(kind, object, &api_version);
        }
    }
    let foreign: Vec<usize> = (0..objects.len())
        .filter(|i| !is_api_version(&objects[*i], &api_version))
        .collect();
    if !foreign.is_empty() {
        let inputs = foreign.iter().map(|i| objects[*i].clone()).collect();
        let outputs = change_version(api, kind, inputs, target, &api_version).await?;
        for (index, output) in foreign.into_iter().zip(outputs) {
            objects[index] = output;
        }
    }
    if kind.is_custom() {
        for object in &mut objects {
            target.schema.default_fields(object);
            target.schema.prune(object);
        }
    }
    Ok(objects)
}

/// An object that is to be converted is first made whole by the schema of its own version.
fn settle_at_source(kind: &Kind, object: &mut Value, api_version: &str) {
    let own = object
        .get("apiVersion")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if own == api_version {
        return;
    }
    if let Some(source) = kind
        .versions
        .iter()
        .find(|version| kind.api_version(&version.name) == own)
    {
        source.schema.default_fields(object);
        source.schema.prune(object);
    }
}

async fn change_version(
    api: &Api,
    kind: &Kind,
    inputs: Vec<Value>,
    target: &KindVersion,
    api_version: &str,
) -> Result<Vec<Value>, ApiError> {
    let Some(converter) = api
        .converters
        .iter()
        .find(|converter| converter.handles(kind))
    else {
        return rewrite(kind, inputs, api_version);
    };
    let outputs = converter
        .convert(kind, inputs.clone(), &target.name)
        .await?;
    metadata::check(kind, &inputs, outputs, api_version)
}

/// The strategy `None`, and what built-in kinds do.
fn rewrite(kind: &Kind, inputs: Vec<Value>, api_version: &str) -> Result<Vec<Value>, ApiError> {
    if let Origin::Custom { conversion, .. } = &kind.origin
        && conversion.get("strategy").and_then(Value::as_str) == Some("Webhook")
    {
        return Err(ApiError::internal(format!(
            "conversion webhooks are not available for {kind:?}"
        )));
    }
    let change = |mut object: Value| {
        if events::is_event(kind) {
            return events::convert(object, api_version);
        }
        object["apiVersion"] = api_version.into();
        object
    };
    Ok(inputs.into_iter().map(change).collect())
}
