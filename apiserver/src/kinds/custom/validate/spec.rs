//! `spec`, without the versions' insides.

use serde_json::Value;

use super::{conversion, names, not_supported, version};
use crate::kinds::custom::definition::{list, text};
use crate::status::FieldError;

pub(super) fn check(crd: &Value, errors: &mut Vec<FieldError>) {
    let spec = &crd["spec"];
    group(text(spec, &["group"]), errors);
    match text(spec, &["scope"]) {
        "" => errors.push(FieldError::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => errors.push(not_supported(
            "spec.scope",
            other,
            &["Cluster", "Namespaced"],
        )),
    }
    for field in ["plural", "singular", "kind", "listKind"] {
        if text(spec, &["names", field]).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{field}"), ""));
        }
    }
    names::check(&spec["names"], "spec.names", errors);
    versions(spec, errors);
    conversion::check(&spec["conversion"], errors);
    if spec["preserveUnknownFields"] == true {
        errors.push(FieldError::invalid(
            "spec.preserveUnknownFields",
            &true.into(),
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ));
    }
}

fn group(group: &str, errors: &mut Vec<FieldError>) {
    let why = names::subdomain(group);
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    } else if !why.is_empty() {
        errors.push(FieldError::invalid("spec.group", &group.into(), why));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(
            "spec.group",
            &group.into(),
            "should be a domain with at least one dot",
        ));
    }
}

fn versions(spec: &Value, errors: &mut Vec<FieldError>) {
    let versions = list(spec, &["versions"]);
    let mut seen = Vec::new();
    let mut unique = true;
    for (index, one) in versions.iter().enumerate() {
        let (path, name) = (format!("spec.versions[{index}]"), text(one, &["name"]));
        unique &= !seen.contains(&name);
        seen.push(name);
        let why = names::label(name);
        if !why.is_empty() {
            errors.push(FieldError::invalid(
                format!("{path}.name"),
                &name.into(),
                why,
            ));
        }
        version::check(one, &path, errors);
    }
    let all = || spec["versions"].clone();
    if !unique {
        errors.push(FieldError::invalid(
            "spec.versions",
            &all(),
            "must contain unique version names",
        ));
    }
    if versions.iter().filter(|one| one["storage"] == true).count() != 1 {
        errors.push(FieldError::invalid(
            "spec.versions",
            &all(),
            "must have exactly one version marked as storage version",
        ));
    }
}
