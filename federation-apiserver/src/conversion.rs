//! In-process conversion of every federated kind.

use apiserver::convert::Converter;
use apiserver::kinds::Kind;
use apiserver::status::ApiError;
use async_trait::async_trait;
use federation_api::names::TYPES_GROUP;
use federation_core::conversion::convert;
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
            .map(|object| convert(object, &api_version).map_err(ApiError::internal))
            .collect()
    }
}
