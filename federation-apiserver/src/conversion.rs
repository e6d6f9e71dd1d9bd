//! In-process conversion of every federated kind.

use apiserver::convert::Converter;
use apiserver::kinds::Kind;
use apiserver::status::ApiError;
use async_trait::async_trait;
use federation_api::annotations::CONVERSION_RESIDUE;
use federation_api::names::TYPES_GROUP;
use federation_core::conversion::{ConversionError, convert};
use serde_json::Value;

/// Converts objects of the group `types.kubefed.io` between cells and clusters, whatever their CRD's conversion
/// strategy says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FederatedConverter;

#[async_trait]
impl Converter for FederatedConverter {
    fn handles(&self, kind: &Kind) -> bool {
        &*kind.group == TYPES_GROUP
    }

    async fn convert(
        &self,
        kind: &Kind,
        objects: Vec<Value>,
        version: &str,
    ) -> Result<Vec<Value>, ApiError> {
        let api_version = kind.api_version(version);
        objects
            .into_iter()
            .map(|object| checked(object, &api_version).map_err(ApiError::internal))
            .collect()
    }
}

/// Converts one object. What the other version left in the residue annotation counts only if the outcome can be served: users may
/// write that annotation too, and one forged object must not fail every list that it is in.
fn checked(object: Value, api_version: &str) -> Result<Value, ConversionError> {
    if residue(&object).is_none() {
        return convert(object, api_version);
    }
    let converted = convert(object.clone(), api_version)?;
    if has_plain_metadata(&converted) {
        return Ok(converted);
    }
    let mut without = object;
    if let Some(annotations) = without
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(CONVERSION_RESIDUE);
    }
    convert(without, api_version)
}

fn residue(object: &Value) -> Option<&Value> {
    object
        .pointer("/metadata/annotations")?
        .get(CONVERSION_RESIDUE)
}

/// Are labels and annotations maps of strings, as every API server demands?
fn has_plain_metadata(object: &Value) -> bool {
    ["labels", "annotations"].iter().all(|field| {
        match object.get("metadata").and_then(|m| m.get(*field)) {
            None | Some(Value::Null) => true,
            Some(Value::Object(map)) => map.values().all(Value::is_string),
            Some(_) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const V1: &str = "types.kubefed.io/v1";
    const V1BETA1: &str = "types.kubefed.io/v1beta1";

    fn stored(annotations: &Value) -> Value {
        json!({"apiVersion": V1BETA1, "kind": "FederatedFoo",
            "metadata": {"name": "x", "namespace": "d", "annotations": annotations},
            "spec": {"placement": {"clusters": [{"name": "hz-1"}]}}})
    }

    #[test]
    fn a_hostile_residue_never_breaks_reads() {
        let edits = [
            json!({"path": ["metadata", "annotations"], "from": {"kept": "yes"}, "to": "x"}),
            json!({"path": ["metadata", "annotations", "koinon.io/topology-type"], "to": 5}),
            json!({"path": ["metadata", "annotations", CONVERSION_RESIDUE], "to": {"a": 1}}),
            json!({"path": ["metadata", "annotations", "other"], "to": ["a"]}),
            json!({"path": ["metadata", "labels"], "to": 7}),
            json!({"path": ["metadata"], "to": null}),
        ];
        let texts = edits
            .iter()
            .map(|edit| json!({"edits": [edit]}).to_string());
        for text in texts.chain(["{".to_owned(), r#"{"edits":7}"#.to_owned()]) {
            let object = stored(&json!({CONVERSION_RESIDUE: text, "kept": "yes"}));
            let read = checked(object, V1).unwrap();
            assert!(has_plain_metadata(&read), "{text} gives {read}");
        }
    }

    #[test]
    fn metadata_that_is_not_plain_is_known() {
        for (metadata, plain) in [
            (json!({}), true),
            (json!({"annotations": {"a": "b"}, "labels": null}), true),
            (json!({"annotations": {"a": 1}}), false),
            (json!({"labels": "x"}), false),
        ] {
            assert_eq!(has_plain_metadata(&json!({"metadata": metadata})), plain);
        }
    }
}
