//! Conversion between the versions of a kind.
//!
//! Built-in kinds have one version each, or versions of equal shape; the two views of events ([`crate::kinds`]) convert
//! here. A custom resource converts by its CRD's strategy: `None` rewrites `apiVersion`, `Webhook` asks a
//! `ConversionReview` v1 webhook ([`WebhookConverter`]). An embedding program may take a kind's conversion into its own
//! hands with a [`Converter`], which comes before the CRD's strategy.
//!
//! Reads go through [`view`], which also fills in defaults and prunes what was stored under an older schema, and
//! remembers the outcome with the object; writes go through [`to_version`] and [`to_storage`].

use async_trait::async_trait;
use serde_json::Value;

use crate::kinds::Kind;
use crate::status::ApiError;

mod batch;
mod events;
mod memo;
mod metadata;
mod run;
#[cfg(test)]
mod tests;
mod webhook;

pub(crate) use memo::Memo;
pub use run::{to_storage, to_version, view, view_one};
pub use webhook::{NoServices, ServiceResolver, WebhookConverter};

/// An in-process converter for some kinds.
#[async_trait]
pub trait Converter: Send + Sync {
    /// Does this converter answer for the kind?
    fn handles(&self, kind: &Kind) -> bool;

    /// Converts every object to `version` of the kind, in order. Objects come at any version of the kind; those already
    /// at `version` are not sent. As with webhooks, of `metadata` only labels and annotations may change: the caller restores the rest.
    ///
    /// # Errors
    /// An error fails the whole request.
    async fn convert(
        &self,
        kind: &Kind,
        objects: Vec<Value>,
        version: &str,
    ) -> Result<Vec<Value>, ApiError>;
}
