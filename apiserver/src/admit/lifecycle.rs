//! `NamespaceLifecycle`: nothing is created in a namespace that is not there or is going away.

use async_trait::async_trait;
use serde_json::Value;

use super::{Admission, Attributes, Operation};
use crate::cache::Cache;
use crate::status::ApiError;

/// Namespaces that cannot be deleted.
pub const IMMORTAL_NAMESPACES: [&str; 4] =
    ["default", "kube-system", "kube-public", "kube-node-lease"];

const NAMESPACES: &str = "/namespaces";

/// The plugin. Built in: every server has it.
pub struct NamespaceLifecycle<'a> {
    cache: &'a Cache,
}

impl<'a> NamespaceLifecycle<'a> {
    /// The plugin over a server's objects.
    pub fn new(cache: &'a Cache) -> Self {
        Self { cache }
    }

    fn deletion(attributes: &Attributes<'_>) -> Result<(), ApiError> {
        let kind = attributes.kind;
        let namespace = kind.group.is_empty() && &*kind.plural == "namespaces";
        if namespace && IMMORTAL_NAMESPACES.contains(&attributes.name) {
            return Err(ApiError::forbidden(
                &kind.group,
                &kind.plural,
                attributes.name,
                "this namespace may not be deleted",
            ));
        }
        Ok(())
    }

    async fn creation(&self, attributes: &Attributes<'_>) -> Result<(), ApiError> {
        let name = attributes.namespace;
        let mut found = self.cache.get(NAMESPACES, "", name);
        if found.is_none() {
            // It may have been made a moment ago.
            self.cache.fresh().await?;
            found = self.cache.get(NAMESPACES, "", name);
        }
        let Some(namespace) = found else {
            return Err(ApiError::not_found("", "namespaces", name));
        };
        if namespace.meta.deletion_timestamp.is_none() {
            return Ok(());
        }
        let kind = attributes.kind;
        let why = format!(
            "unable to create new content in namespace {name} because it is being terminated"
        );
        let cause = format!("namespace {name} is being terminated");
        Err(
            ApiError::forbidden(&kind.group, &kind.plural, attributes.name, &why).with_cause(
                "NamespaceTerminating",
                &cause,
                "metadata.namespace",
            ),
        )
    }
}

#[async_trait]
impl Admission for NamespaceLifecycle<'_> {
    async fn validate(
        &self,
        attributes: &Attributes<'_>,
        _object: Option<&Value>,
    ) -> Result<(), ApiError> {
        match attributes.operation {
            Operation::Delete => Self::deletion(attributes),
            Operation::Create if attributes.kind.namespaced() => self.creation(attributes).await,
            Operation::Create | Operation::Update => Ok(()),
        }
    }
}
