//! The door of our own API server: an admission plugin.

use std::sync::Arc;

use apiserver::admit::{Admission, Attributes, Operation};
use apiserver::cache::Cache;
use apiserver::kinds::Registry;
use apiserver::status::ApiError;
use async_trait::async_trait;
use serde_json::Value;

use super::facts::Cached;
use super::{Action, Needs, Request, Reviewed, Ruled, default_config, review};

/// The hub's plugin.
#[derive(Clone, Debug)]
pub(crate) struct FederationAdmission {
    facts: Cached,
}

impl FederationAdmission {
    /// A plugin that looks things up in a server's cache.
    pub(crate) fn new(cache: Cache, registry: Arc<Registry>) -> Self {
        Self {
            facts: Cached::new(cache, registry),
        }
    }

    /// Judges by the cache, and once more by the latest if that could change the answer: a client that has just written a
    /// cell may place objects in it, and a cell goes only if nothing was placed in it before.
    async fn review(&self, ruled: Ruled, request: &Request<'_>) -> Result<Reviewed, ApiError> {
        let needs = ruled.needs(request);
        if needs == Needs::Placed {
            self.facts.fresh().await?;
        }
        let reviewed = review(ruled, request, &self.facts);
        if needs != Needs::Topology || !reviewed.has_findings() {
            return Ok(reviewed);
        }
        self.facts.fresh().await?;
        Ok(review(ruled, request, &self.facts))
    }
}

#[async_trait]
impl Admission for FederationAdmission {
    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        if ruled(attributes) == Some(Ruled::Config) && attributes.operation == Operation::Create {
            default_config(object);
        }
        Ok(())
    }

    async fn validate(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&Value>,
    ) -> Result<(), ApiError> {
        let Some(ruled) = ruled(attributes) else {
            return Ok(());
        };
        let kind = attributes.kind;
        let request = Request {
            action: match attributes.operation {
                Operation::Create => Action::Create,
                Operation::Update => Action::Update,
                Operation::Delete => Action::Delete,
            },
            group: &kind.group,
            kind: &kind.kind,
            plural: &kind.plural,
            subresource: attributes.subresource,
            namespace: attributes.namespace,
            name: attributes.name,
            object,
            old: attributes.old,
        };
        let reviewed = self.review(ruled, &request).await?;
        for warning in reviewed.warnings {
            attributes.warnings.add(warning);
        }
        reviewed.outcome
    }
}

fn ruled(attributes: &Attributes<'_>) -> Option<Ruled> {
    Ruled::of(&attributes.kind.group, &attributes.kind.kind)
}
