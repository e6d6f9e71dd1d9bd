//! Names: of the definition, its group, its versions and its kind.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::kinds::custom::definition::{text, texts};
use crate::object;
use crate::status::FieldError;

static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("^[a-z]([-a-z0-9]*[a-z0-9])?$").expect("a constant that the tests compile")
});
static SUBDOMAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        .expect("a constant that the tests compile")
});

const LABEL_TEXT: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_TEXT: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// What is wrong with an RFC 1035 label; empty if nothing is.
pub(super) fn label(name: &str) -> String {
    if name.len() > 63 {
        return "must be no more than 63 bytes".to_owned();
    }
    if LABEL.is_match(name) {
        String::new()
    } else {
        LABEL_TEXT.to_owned()
    }
}

/// What is wrong with an RFC 1123 subdomain; empty if nothing is.
pub(super) fn subdomain(name: &str) -> String {
    if name.len() > 253 {
        return "must be no more than 253 bytes".to_owned();
    }
    if SUBDOMAIN.is_match(name) {
        String::new()
    } else {
        SUBDOMAIN_TEXT.to_owned()
    }
}

/// `metadata.name` follows from the group and the plural.
pub(super) fn object_name(crd: &Value, errors: &mut Vec<FieldError>) {
    let name = object::name(crd);
    let required = format!(
        "{}.{}",
        text(crd, &["spec", "names", "plural"]),
        text(crd, &["spec", "group"])
    );
    if name != required {
        errors.push(FieldError::invalid(
            "metadata.name",
            &name.into(),
            r#"must be spec.names.plural+"."+spec.group"#,
        ));
    }
}

/// `spec.names` or `status.acceptedNames`.
pub(super) fn check(names: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let mut judge = |field: String, value: &str, prefix: &str, why: String| {
        if !value.is_empty() && !why.is_empty() {
            errors.push(FieldError::invalid(
                format!("{path}.{field}"),
                &value.into(),
                format!("{prefix}{why}"),
            ));
        }
    };
    for field in ["plural", "singular"] {
        let value = text(names, &[field]);
        judge(field.to_owned(), value, "", label(value));
    }
    for field in ["kind", "listKind"] {
        let value = text(names, &[field]);
        judge(
            field.to_owned(),
            value,
            "may have mixed case, but should otherwise match: ",
            label(&value.to_lowercase()),
        );
    }
    for field in ["shortNames", "categories"] {
        for (index, value) in texts(names, &[field]).iter().enumerate() {
            judge(format!("{field}[{index}]"), value, "", label(value));
        }
    }
    let (kind, list_kind) = (text(names, &["kind"]), text(names, &["listKind"]));
    if !kind.is_empty() && kind == list_kind {
        errors.push(FieldError::invalid(
            format!("{path}.listKind"),
            &list_kind.into(),
            "kind and listKind may not be the same",
        ));
    }
}
