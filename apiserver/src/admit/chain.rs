//! Calls the plugins in order.

use serde_json::Value;

use super::{Admission, Attributes};
use crate::api::Api;
use crate::status::ApiError;

/// Lets every plugin change the object: the built-in ones first.
///
/// # Errors
/// The first refusal.
pub(crate) async fn mutate(
    api: &Api,
    attributes: &Attributes<'_>,
    object: &mut Value,
) -> Result<(), ApiError> {
    super::services::allocate(api, attributes, object)?;
    for plugin in api.admission.iter() {
        plugin.mutate(attributes, object).await?;
    }
    Ok(())
}

/// Lets every plugin judge the final object; `None` on delete.
///
/// # Errors
/// The first refusal.
pub(crate) async fn validate(
    api: &Api,
    attributes: &Attributes<'_>,
    object: Option<&Value>,
) -> Result<(), ApiError> {
    let lifecycle = super::NamespaceLifecycle::new(&api.cache);
    lifecycle.validate(attributes, object).await?;
    for plugin in api.admission.iter() {
        plugin.validate(attributes, object).await?;
    }
    Ok(())
}
