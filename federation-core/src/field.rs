//! Errors about fields of an object, worded as upstream's `field.ErrorList`.

use serde_json::Value;

/// What is wrong with a field. The words are upstream's `field.ErrorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// A needed value is missing.
    Required,
    /// The value is malformed.
    Invalid,
    /// The value is not one of the known ones.
    NotSupported,
    /// The value must be unique and is not.
    Duplicate,
    /// The value may not be set here.
    Forbidden,
    /// The value names something that does not exist.
    NotFound,
}

impl ErrorType {
    /// The cause's machine-readable reason in a `Status`, e.g. `FieldValueInvalid`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::NotFound => "FieldValueNotFound",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not found",
        }
    }
}

/// One field that keeps an object from being accepted. `Display` gives upstream's line:
/// `spec.secretRef.name: Invalid value: "X": detail`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field}: {}", self.message())]
pub struct FieldError {
    /// Path of the field, e.g. `spec.overrides[0].clusterName`.
    pub field: String,
    /// What is wrong.
    pub kind: ErrorType,
    /// The value that is wrong; not shown for `Required` and `Forbidden`.
    pub value: Option<Value>,
    /// More in words; may be empty.
    pub detail: String,
}

impl FieldError {
    /// An error of any type.
    pub fn new(
        field: &Path,
        kind: ErrorType,
        value: Option<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            field: field.to_string(),
            kind,
            value,
            detail: detail.into(),
        }
    }

    /// A missing value.
    #[must_use]
    pub fn required(field: &Path) -> Self {
        Self::new(field, ErrorType::Required, None, "")
    }

    /// A malformed value.
    pub fn invalid(field: &Path, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(field, ErrorType::Invalid, Some(value.into()), detail)
    }

    /// A value that occurs twice.
    pub fn duplicate(field: &Path, value: impl Into<Value>) -> Self {
        Self::new(field, ErrorType::Duplicate, Some(value.into()), "")
    }

    /// A value that may not be set.
    pub fn forbidden(field: &Path, detail: impl Into<String>) -> Self {
        Self::new(field, ErrorType::Forbidden, None, detail)
    }

    /// A value that is none of the supported ones.
    #[must_use]
    pub fn not_supported(field: &Path, value: &str, supported: &[&str]) -> Self {
        let list = supported
            .iter()
            .map(|one| format!("{one:?}"))
            .collect::<Vec<_>>()
            .join(", ");
        Self::new(
            field,
            ErrorType::NotSupported,
            Some(value.into()),
            format!("supported values: {list}"),
        )
    }

    /// The line without the field, as the message of a `Status` cause.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = self.kind.title().to_owned();
        if let Some(value) = &self.value {
            text.push_str(": ");
            text.push_str(&value.to_string());
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

/// Path of a field. Children are made by [`Path::child`] and [`Path::index`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// A top-level field.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// A field of this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self(name.to_owned())
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// An item of this list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// A value of this map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text rules of names, with upstream's messages.
pub mod text {
    const LABEL_CHARS: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
    const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
    const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
    const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

    fn label_shape(text: &str) -> bool {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || c == '-')
    }

    fn word_shape(text: &str) -> bool {
        let edge = |c: char| c.is_ascii_alphanumeric();
        text.starts_with(edge)
            && text.ends_with(edge)
            && text.chars().all(|c| edge(c) || "-_.".contains(c))
    }

    fn at_most(text: &str, limit: usize) -> Option<String> {
        (text.len() > limit).then(|| format!("must be no more than {limit} characters"))
    }

    /// Why `text` is no DNS-1123 label, or `None` if it is one.
    #[must_use]
    pub fn dns1123_label(text: &str) -> Option<String> {
        at_most(text, 63).or_else(|| (!label_shape(text)).then(|| LABEL_CHARS.to_owned()))
    }

    /// Why `text` is no DNS-1123 subdomain, or `None` if it is one.
    #[must_use]
    pub fn dns1123_subdomain(text: &str) -> Option<String> {
        at_most(text, 253)
            .or_else(|| (!text.split('.').all(label_shape)).then(|| SUBDOMAIN.to_owned()))
    }

    /// Why `text` is no DNS-1035 label, or `None` if it is one.
    #[must_use]
    pub fn dns1035_label(text: &str) -> Option<String> {
        let shape = label_shape(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
        at_most(text, 63).or_else(|| (!shape).then(|| LABEL_1035.to_owned()))
    }

    /// Why `text` is no label or annotation key, or `None` if it is one.
    #[must_use]
    pub fn qualified_name(text: &str) -> Option<String> {
        let (prefix, name) = match text.split_once('/') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, text),
        };
        if let Some(message) = prefix.and_then(dns1123_subdomain) {
            return Some(format!("prefix part {message}"));
        }
        at_most(name, 63).or_else(|| (!word_shape(name)).then(|| QUALIFIED.to_owned()))
    }

    /// Why `text` is no label value, or `None` if it is one.
    #[must_use]
    pub fn label_value(text: &str) -> Option<String> {
        at_most(text, 63)
            .or_else(|| (!text.is_empty() && !word_shape(text)).then(|| LABEL_VALUE.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_upstreams() {
        let path = Path::new("spec")
            .child("overrides")
            .index(0)
            .child("clusterName");
        let lines = [
            FieldError::required(&path),
            FieldError::invalid(&path, "x", "bad"),
            FieldError::duplicate(&path, "x"),
            FieldError::forbidden(&path, "no"),
            FieldError::not_supported(&path, "x", &["a", "b"]),
        ]
        .map(|error| error.to_string());
        assert_eq!(
            lines,
            [
                "spec.overrides[0].clusterName: Required value",
                "spec.overrides[0].clusterName: Invalid value: \"x\": bad",
                "spec.overrides[0].clusterName: Duplicate value: \"x\"",
                "spec.overrides[0].clusterName: Forbidden: no",
                "spec.overrides[0].clusterName: Unsupported value: \"x\": supported values: \"a\", \"b\"",
            ]
        );
    }

    #[test]
    fn names_follow_the_rfcs() {
        assert_eq!(text::dns1123_label("rz00a"), None);
        assert!(text::dns1123_label("rz.a").is_some() && text::dns1123_label("").is_some());
        assert_eq!(text::dns1123_subdomain("a.b-c.d1"), None);
        assert!(text::dns1123_subdomain("a..b").is_some());
        assert!(text::dns1035_label("1a").is_some());
        assert_eq!(text::qualified_name("koinon.io/Cell_1"), None);
        assert!(text::qualified_name("a/b/c").is_some() && text::qualified_name("/b").is_some());
        assert_eq!(text::label_value(""), None);
        assert!(text::label_value("-").is_some());
    }
}
