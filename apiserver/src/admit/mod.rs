//! Admission: the chance to change or refuse a write between decoding and storing.
//!
//! Built-in plugins and those that the embedding program adds are called in registration order: first every
//! [`Admission::mutate`], then every [`Admission::validate`]. On a retried update they run again, so they must be
//! idempotent and must not act on the world themselves.

mod chain;
mod lifecycle;
mod services;

use async_trait::async_trait;
use serde_json::Value;

use crate::kinds::{Kind, KindVersion};
use crate::request::{UserInfo, Warnings};
use crate::status::ApiError;

pub(crate) use chain::{mutate, validate};
pub use lifecycle::{IMMORTAL_NAMESPACES, NamespaceLifecycle};

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Create,
    /// It exists and changes (PUT, PATCH, subresources).
    Update,
    /// It is deleted (one call per object, also for a collection).
    Delete,
}

/// The facts about a write that admission may base its decision on.
#[derive(Debug)]
pub struct Attributes<'a> {
    /// What is done.
    pub operation: Operation,
    /// The row of the kind.
    pub kind: &'a Kind,
    /// The version of the request, in which the objects are given.
    pub version: &'a KindVersion,
    /// `status`, `scale`, … or empty.
    pub subresource: &'a str,
    /// Namespace of the object; empty for cluster-scoped ones.
    pub namespace: &'a str,
    /// Name of the object (generated names are already set).
    pub name: &'a str,
    /// Who asks.
    pub user: &'a UserInfo,
    /// Nothing will be stored.
    pub dry_run: bool,
    /// The stored object (update and delete), in the version of the request.
    pub old: Option<&'a Value>,
    /// Where warnings for the client go.
    pub warnings: &'a Warnings,
}

/// One admission plugin.
#[async_trait]
pub trait Admission: Send + Sync {
    /// May change `object` (create and update only).
    ///
    /// # Errors
    /// Refuses the write.
    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        let _ = (attributes, object);
        Ok(())
    }

    /// Judges the final object; `None` on delete.
    ///
    /// # Errors
    /// Refuses the write.
    async fn validate(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&Value>,
    ) -> Result<(), ApiError> {
        let _ = (attributes, object);
        Ok(())
    }
}
