//! Selectors: which objects of a resource a list or watch is about.
//!
//! Labels and names are judged without touching an object's bytes; other fields are picked out of the bytes without
//! parsing the rest.

mod fields;
mod labels;
mod pick;

use crate::kinds::{Kind, KindVersion};
use crate::object::Obj;
use crate::status::ApiError;

pub use fields::{FieldSelector, FieldTerm};
pub use labels::{LabelSelector, Operator, ParseLabelsError, Requirement};
pub use pick::pick;

/// What `labelSelector` and `fieldSelector` of one request ask for, both checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// By labels.
    pub labels: LabelSelector,
    /// By fields.
    pub fields: FieldSelector,
}

impl Selector {
    /// Reads both selectors of a request on a kind.
    ///
    /// # Errors
    /// 400 in upstream's words, if one cannot be parsed or names a field that the kind cannot be selected by.
    pub fn parse(
        kind: &Kind,
        version: &KindVersion,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(labels.unwrap_or_default())
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let fields = FieldSelector::parse(fields.unwrap_or_default())
            .and_then(|parsed| parsed.resolve(kind, version))
            .map_err(ApiError::bad_request)?;
        Ok(Self { labels, fields })
    }

    /// Does it select everything?
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Is the object selected? Fields are looked up in the object as stored.
    pub fn matches(&self, object: &Obj) -> bool {
        self.labels.matches(&object.meta.labels) && self.fields.matches(object, &object.bytes)
    }
}
