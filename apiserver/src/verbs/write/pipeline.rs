//! What every object passes before it is stored, whichever verb brought it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::meta::{validate_metadata, validate_update};
use crate::admit::{self, Attributes, Operation};
use crate::api::Api;
use crate::convert;
use crate::kinds::{Kind, KindVersion, StrategyContext};
use crate::object;
use crate::request::Request;
use crate::status::{ApiError, FieldErrorKind};

/// The facts about one write that every step needs.
pub(super) struct Write<'a> {
    pub(super) api: &'a Api,
    pub(super) request: &'a Request,
    pub(super) kind: &'a Arc<Kind>,
    pub(super) version: &'a KindVersion,
    pub(super) dry_run: bool,
}

impl<'a> Write<'a> {
    /// # Errors
    /// 404 if the version is not served.
    pub(super) fn new(
        api: &'a Api,
        request: &'a Request,
        kind: &'a Arc<Kind>,
        version: &str,
        dry_run: bool,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            api,
            request,
            kind,
            version: kind.version(version).ok_or_else(ApiError::no_such_path)?,
            dry_run,
        })
    }

    pub(super) fn strategy_context(&self) -> StrategyContext<'_> {
        StrategyContext {
            seams: &self.api.seams,
            subresource: &self.request.path.subresource,
        }
    }

    fn attributes<'b>(
        &'b self,
        operation: Operation,
        name: &'b str,
        old: Option<&'b Value>,
    ) -> Attributes<'b> {
        Attributes {
            operation,
            kind: self.kind,
            version: self.version,
            subresource: &self.request.path.subresource,
            namespace: &self.request.path.namespace,
            name,
            user: &self.request.user,
            dry_run: self.dry_run,
            old,
            warnings: &self.request.warnings,
        }
    }

    /// Lets admission change the object, and fills in again what it left out.
    ///
    /// # Errors
    /// Admission's refusal.
    pub(super) async fn mutate(
        &self,
        operation: Operation,
        value: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let name = object::name(value).to_owned();
        let attributes = self.attributes(operation, &name, old);
        admit::mutate(self.api, &attributes, value).await?;
        self.version.schema.default_fields(value);
        Ok(())
    }

    /// Judges the final object.
    ///
    /// # Errors
    /// 422 with everything that is wrong, or admission's refusal.
    pub(super) async fn validate(
        &self,
        operation: Operation,
        value: &Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let mut errors = validate_metadata(self.kind, value);
        if let Some(old) = old {
            errors.extend(validate_update(value, old));
        }
        let alone = self.kind.strategy.judges_alone();
        let by_schema = self.version.schema.validate(value, old).into_iter();
        errors.extend(by_schema.filter(|e| !alone || e.kind != FieldErrorKind::Required));
        let context = self.strategy_context();
        errors.extend(self.kind.strategy.validate(value, old, &context));
        if !errors.is_empty() {
            let name = object::name(value);
            return Err(ApiError::invalid(
                &self.kind.group,
                &self.kind.kind,
                name,
                &errors,
            ));
        }
        let name = object::name(value).to_owned();
        let attributes = self.attributes(operation, &name, old);
        admit::validate(self.api, &attributes, Some(value)).await
    }

    /// Asks admission about a deletion.
    ///
    /// # Errors
    /// Admission's refusal.
    pub(super) async fn admit_delete(&self, name: &str, old: &Value) -> Result<(), ApiError> {
        let attributes = self.attributes(Operation::Delete, name, Some(old));
        admit::validate(self.api, &attributes, None).await
    }

    /// The bytes to store.
    ///
    /// # Errors
    /// 500 if the object cannot be converted to the stored version.
    pub(super) async fn stored_bytes(&self, value: Value) -> Result<Bytes, ApiError> {
        let stored = convert::to_storage(self.api, self.kind, value).await?;
        Ok(object::encode(&stored))
    }

    pub(super) fn not_found(&self, name: &str) -> ApiError {
        ApiError::not_found(&self.kind.group, &self.kind.plural, name)
    }

    /// Somebody else changed the object meanwhile.
    pub(super) fn modified(&self, name: &str) -> ApiError {
        ApiError::modified(&self.kind.group, &self.kind.plural, name)
    }
}
