//! The query parameters of writes (`metav1.{Create,Update,Patch}Options`).

use crate::request::Request;
use crate::status::{ApiError, FieldError, FieldErrorKind};

/// What becomes of unknown and duplicate fields in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldValidation {
    /// Dropped without a word.
    Ignore,
    /// Dropped, and the client is warned. The default.
    Warn,
    /// Refused.
    Strict,
}

/// The options of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriteOptions {
    /// Do everything but store.
    pub(super) dry_run: bool,
    /// How strictly the body is read.
    pub(super) field_validation: FieldValidation,
}

impl WriteOptions {
    /// Reads the query; `kind` is the options' own kind, for messages.
    ///
    /// # Errors
    /// 422 for values that are not known.
    pub(super) fn of(request: &Request, kind: &str) -> Result<Self, ApiError> {
        let mut errors = Vec::new();
        let dry_run = match request.query.get("dryRun") {
            None | Some("") => false,
            Some("All") => true,
            Some(other) => {
                errors.push(FieldError::new(
                    FieldErrorKind::NotSupported,
                    "dryRun",
                    format!("[\"{other}\"]"),
                    "supported values: \"All\"",
                ));
                false
            }
        };
        let field_validation = match request.query.get("fieldValidation") {
            None | Some("" | "Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                errors.push(not_supported(
                    "fieldValidation",
                    other,
                    "\"\", \"Ignore\", \"Strict\", \"Warn\"",
                ));
                FieldValidation::Warn
            }
        };
        if let Some(manager) = request.query.get("fieldManager")
            && manager.len() > 128
        {
            errors.push(FieldError::new(
                FieldErrorKind::TooLong,
                "fieldManager",
                "",
                "may not be more than 128 bytes",
            ));
        }
        if errors.is_empty() {
            Ok(Self {
                dry_run,
                field_validation,
            })
        } else {
            Err(ApiError::invalid("meta.k8s.io", kind, "", &errors))
        }
    }
}

fn not_supported(path: &str, value: &str, supported: &str) -> FieldError {
    FieldError::new(
        FieldErrorKind::NotSupported,
        path,
        format!("\"{value}\""),
        format!("supported values: {supported}"),
    )
}
