//! Admission of what users write on the hub.
//!
//! One plugin; which rules it asks depends on the kind. Rules that need nothing but the object are `federation-core`'s;
//! here are the questions that need to look at other objects ([`facts`]). Built-in kinds pass untouched.

mod cells;
mod clusters;
mod configs;
mod facts;

use std::sync::Arc;

use apiserver::admit::{Admission, Attributes, Operation};
use apiserver::cache::Cache;
use apiserver::kinds::Registry;
use apiserver::status::{ApiError, FieldError};
use async_trait::async_trait;
use facts::Facts;
use federation_api::names::{CORE_GROUP, KOINON_GROUP};
use serde_json::Value;

/// The hub's plugin.
#[derive(Clone, Debug)]
pub(crate) struct FederationAdmission {
    facts: Facts,
}

impl FederationAdmission {
    /// A plugin that looks things up in a server's cache.
    pub(crate) fn new(cache: Cache, registry: Arc<Registry>) -> Self {
        Self {
            facts: Facts::new(cache, registry),
        }
    }
}

/// 422 with the findings, or nothing if there are none.
fn verdict(attributes: &Attributes<'_>, findings: &[FieldError]) -> Result<(), ApiError> {
    if findings.is_empty() {
        return Ok(());
    }
    let kind = attributes.kind;
    Err(ApiError::invalid(
        &kind.group,
        &kind.kind,
        attributes.name,
        findings,
    ))
}

/// 403 in admission's form.
fn refused(attributes: &Attributes<'_>, why: &str) -> ApiError {
    let kind = attributes.kind;
    ApiError::forbidden(&kind.group, &kind.plural, attributes.name, why)
}

#[async_trait]
impl Admission for FederationAdmission {
    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        let kind = attributes.kind;
        match (&*kind.group, &*kind.kind, attributes.operation) {
            (CORE_GROUP, "KubeFedConfig", Operation::Create) => configs::default(object),
            _ => {}
        }
        Ok(())
    }

    async fn validate(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&Value>,
    ) -> Result<(), ApiError> {
        let kind = attributes.kind;
        match (&*kind.group, &*kind.kind, object) {
            (CORE_GROUP, "KubeFedCluster", Some(object)) => {
                clusters::validate(&self.facts, attributes, object)
            }
            (KOINON_GROUP, "Cell", Some(object)) => {
                cells::validate(&self.facts, attributes, object)
            }
            (KOINON_GROUP, "Cell", None) => cells::may_be_deleted(&self.facts, attributes),
            _ => Ok(()),
        }
    }
}
