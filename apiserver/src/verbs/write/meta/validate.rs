//! What must hold for `metadata` on every write.

use serde_json::{Map, Value};

use super::names::{label_value_problems, name_problems, qualified_name_problems};
use crate::kinds::{Kind, NameRule};
use crate::object;
use crate::status::{FieldError, FieldErrorKind};

/// Finalizers without a domain that built-in objects may have.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
/// Keys and values of all annotations together.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// Findings about the metadata of an object of the kind, wherever it is written
/// (`ValidateObjectMetaAccessor`).
pub(crate) fn validate_metadata(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let rule = kind.strategy.name_rule();
    let (name, generate) = (
        object::name(object),
        object::meta_str(object, "generateName"),
    );
    check_name(&mut errors, rule, name, generate);
    let namespace = object::namespace(object);
    let namespace_path = "metadata.namespace";
    if !kind.namespaced() {
        if !namespace.is_empty() {
            errors.push(FieldError::forbidden(
                namespace_path,
                "not allowed on this type",
            ));
        }
    } else if namespace.is_empty() {
        errors.push(FieldError::required(namespace_path, ""));
    } else {
        for problem in name_problems(NameRule::Label, namespace, false) {
            errors.push(FieldError::invalid(
                namespace_path,
                &namespace.into(),
                problem,
            ));
        }
    }
    if object::generation(object) < 0 {
        let generation = object::generation(object).into();
        errors.push(FieldError::invalid(
            "metadata.generation",
            &generation,
            "must be greater than or equal to 0",
        ));
    }
    let Some(metadata) = object::metadata(object) else {
        return errors;
    };
    errors.extend(labels(metadata.get("labels"), "metadata.labels"));
    check_annotations(&mut errors, metadata);
    check_owners(&mut errors, metadata);
    check_finalizers(&mut errors, kind, &object::finalizers(object));
    errors
}

fn check_name(errors: &mut Vec<FieldError>, rule: NameRule, name: &str, generate: &str) {
    if !generate.is_empty() {
        for problem in name_problems(rule, generate, true) {
            errors.push(FieldError::invalid(
                "metadata.generateName",
                &generate.into(),
                problem,
            ));
        }
    }
    if name.is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        ));
        return;
    }
    for problem in name_problems(rule, name, false) {
        errors.push(FieldError::invalid("metadata.name", &name.into(), problem));
    }
}

/// Findings about a map of labels at a path, also those inside specs.
pub(crate) fn labels(labels: Option<&Value>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        for problem in qualified_name_problems(key) {
            errors.push(FieldError::invalid(path, &key.as_str().into(), problem));
        }
        for problem in label_value_problems(value.as_str().unwrap_or_default()) {
            errors.push(FieldError::invalid(path, value, problem));
        }
    }
    errors
}

fn check_annotations(errors: &mut Vec<FieldError>, metadata: &Map<String, Value>) {
    let path = "metadata.annotations";
    let mut size = 0;
    let annotations = metadata.get("annotations").and_then(Value::as_object);
    for (key, value) in annotations.into_iter().flatten() {
        for problem in qualified_name_problems(&key.to_lowercase()) {
            errors.push(FieldError::invalid(path, &key.as_str().into(), problem));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX_ANNOTATIONS {
        let detail = format!("may not be more than {MAX_ANNOTATIONS} bytes");
        errors.push(FieldError::new(FieldErrorKind::TooLong, path, "", detail));
    }
}

fn check_owners(errors: &mut Vec<FieldError>, metadata: &Map<String, Value>) {
    let path = "metadata.ownerReferences";
    let owners = metadata.get("ownerReferences").and_then(Value::as_array);
    let owners = owners.map_or(&[][..], Vec::as_slice);
    let mut controller: Option<&Value> = None;
    for owner in owners {
        let text = |field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default();
        let version = text("apiVersion").rsplit('/').next().unwrap_or_default();
        if version.is_empty() || text("apiVersion").matches('/').count() > 1 {
            let field = format!("{path}.apiVersion");
            let detail = "version must not be empty";
            errors.push(FieldError::invalid(
                field,
                &text("apiVersion").into(),
                detail,
            ));
        }
        for field in ["kind", "name", "uid"] {
            if text(field).is_empty() {
                errors.push(FieldError::invalid(
                    format!("{path}.{field}"),
                    &"".into(),
                    "must not be empty",
                ));
            }
        }
        if text("kind") == "Event" && text("apiVersion") == "v1" {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(FieldError::invalid(path, owner, detail));
        }
        if owner.get("controller") == Some(&Value::Bool(true)) {
            if let Some(other) = controller {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {} and {}",
                    other
                        .get("name")
                        .and_then(Value::as_str)
                        .unwrap_or_default(),
                    text("name")
                );
                let all = Value::Array(owners.to_vec());
                errors.push(FieldError::invalid(path, &all, detail));
            }
            controller = Some(owner);
        }
    }
}

fn check_finalizers(errors: &mut Vec<FieldError>, kind: &Kind, finalizers: &[&str]) {
    let path = "metadata.finalizers";
    // Upstream's own groups for extension know no standard finalizers.
    let strict = !kind.is_custom()
        && !["apiextensions.k8s.io", "admissionregistration.k8s.io"].contains(&&*kind.group);
    for (index, finalizer) in finalizers.iter().enumerate() {
        for problem in qualified_name_problems(finalizer) {
            errors.push(FieldError::invalid(path, &(*finalizer).into(), problem));
        }
        if strict && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(finalizer) {
            errors.push(FieldError::invalid(
                format!("{path}[{index}]"),
                &(*finalizer).into(),
                "name is neither a standard finalizer name nor is it fully qualified",
            ));
        }
    }
    let both = [super::super::ORPHAN, super::super::FOREGROUND];
    if both.iter().all(|f| finalizers.contains(f)) {
        let list = Value::from(finalizers.to_vec());
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid(path, &list, detail));
    }
}
