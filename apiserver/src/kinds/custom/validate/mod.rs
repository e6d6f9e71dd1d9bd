//! Judging CustomResourceDefinitions, in the words of
//! `k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation` and its structural schemas.
//!
//! On update, findings that the old object had as well are tolerated, so that a definition which an earlier release let
//! pass can still be edited. Expressions in CEL are not compiled: only their form is looked at.

mod conversion;
mod defaults;
mod keywords;
mod names;
mod spec;
mod structural;
#[cfg(test)]
mod tests;
mod version;

use serde_json::{Value, json};

use super::definition::{condition_is_true, list, storage_version, text, texts};
use crate::status::{FieldError, FieldErrorKind};

/// The findings about a definition. Defaults must be filled in and `status.storedVersions` set.
pub(super) fn validate(crd: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = all(crd);
    if let Some(old) = old {
        let before = all(old);
        errors.retain(|error| !before.contains(error));
        immutable(crd, old, &mut errors);
    }
    errors
}

fn all(crd: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    names::object_name(crd, &mut errors);
    spec::check(crd, &mut errors);
    names::check(
        &crd["status"]["acceptedNames"],
        "status.acceptedNames",
        &mut errors,
    );
    stored_versions(crd, &mut errors);
    approval(crd, &mut errors);
    errors
}

fn immutable(crd: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let always: &[&[&str]] = &[&["spec", "group"], &["spec", "names", "plural"]];
    let once_established: &[&[&str]] = &[&["spec", "scope"], &["spec", "names", "kind"]];
    let established = condition_is_true(old, "Established");
    let guarded = always
        .iter()
        .chain(once_established.iter().filter(|_| established));
    for path in guarded {
        let (new, before) = (text(crd, path), text(old, path));
        if new != before {
            errors.push(FieldError::invalid(
                path.join("."),
                &new.into(),
                "field is immutable",
            ));
        }
    }
}

fn stored_versions(crd: &Value, errors: &mut Vec<FieldError>) {
    let path = "status.storedVersions";
    let stored = texts(crd, &["status", "storedVersions"]);
    if stored.is_empty() {
        errors.push(FieldError::invalid(
            path,
            &json!(stored),
            "must have at least one stored version",
        ));
        return;
    }
    if let Some(current) = storage_version(crd)
        && !stored.iter().any(|one| one == current)
    {
        errors.push(FieldError::invalid(
            path,
            &json!(stored),
            format!("must have the storage version {current}"),
        ));
    }
    let known: Vec<&str> = list(crd, &["spec", "versions"])
        .iter()
        .map(|version| text(version, &["name"]))
        .collect();
    for (index, version) in stored.iter().enumerate() {
        if !known.contains(&version.as_str()) {
            let detail = format!(
                "missing from spec.versions; {version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {version} and removes {version} from status.storedVersions"
            );
            errors.push(FieldError::invalid(
                format!("{path}[{index}]"),
                &version.as_str().into(),
                detail,
            ));
        }
    }
}

/// Groups of the Kubernetes community need a link to their approval.
fn approval(crd: &Value, errors: &mut Vec<FieldError>) {
    const KEY: &str = "api-approved.kubernetes.io";
    let group = text(crd, &["spec", "group"]);
    if !["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.ends_with(&format!(".{domain}")))
    {
        return;
    }
    let path = format!("metadata.annotations[{KEY}]");
    let approval = text(crd, &["metadata", "annotations", KEY]);
    if approval.is_empty() {
        errors.push(FieldError::required(path, format!("protected groups must have approval annotation \"{KEY}\", see https://github.com/kubernetes/enhancements/pull/1111")));
    } else if !approval.starts_with("unapproved") && !approval.contains("://") {
        errors.push(FieldError::invalid(path, &approval.into(), format!("protected groups must have approval annotation \"{KEY}\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111")));
    }
}

/// `Unsupported value: …: supported values: …`.
fn not_supported(path: impl Into<String>, value: &str, allowed: &[&str]) -> FieldError {
    let listed: Vec<String> = allowed.iter().map(|one| format!("{one:?}")).collect();
    let detail = format!("supported values: {}", listed.join(", "));
    FieldError::new(
        FieldErrorKind::NotSupported,
        path,
        format!("{value:?}"),
        detail,
    )
}
