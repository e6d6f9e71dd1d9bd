//! From findings about fields to the answer that a client gets.

use apiserver::status::{ApiError, FieldError, FieldErrorKind};
use federation_core::field::{self, ErrorType};

use super::Request;

/// 422 `Invalid` with a cause per error; `Ok` if there are none.
///
/// # Errors
/// There are some.
pub(super) fn answer(request: &Request<'_>, errors: &[field::FieldError]) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    let errors: Vec<FieldError> = errors.iter().map(finding).collect();
    Err(ApiError::invalid(
        request.group,
        request.kind,
        request.name,
        &errors,
    ))
}

fn finding(error: &field::FieldError) -> FieldError {
    let kind = match error.kind {
        ErrorType::Required => FieldErrorKind::Required,
        ErrorType::Invalid => FieldErrorKind::Invalid,
        ErrorType::NotSupported => FieldErrorKind::NotSupported,
        ErrorType::Duplicate => FieldErrorKind::Duplicate,
        ErrorType::Forbidden => FieldErrorKind::Forbidden,
        ErrorType::NotFound => FieldErrorKind::NotFound,
    };
    let value = match (&error.value, kind) {
        (Some(value), kind)
            if !matches!(kind, FieldErrorKind::Required | FieldErrorKind::Forbidden) =>
        {
            value.to_string()
        }
        _ => String::new(),
    };
    FieldError::new(kind, error.field.as_str(), value, error.detail.as_str())
}

#[cfg(test)]
mod tests {
    use federation_core::field::Path;

    use super::*;

    #[test]
    fn the_words_are_the_same_on_both_sides() {
        let path = Path::new("spec").child("scope");
        for error in [
            field::FieldError::required(&path),
            field::FieldError::invalid(&path, "x", "why"),
            field::FieldError::not_supported(&path, "x", &["a", "b"]),
            field::FieldError::forbidden(&path, "no"),
            field::FieldError::duplicate(&path, "x"),
        ] {
            assert_eq!(finding(&error).to_string(), error.to_string());
        }
    }
}
