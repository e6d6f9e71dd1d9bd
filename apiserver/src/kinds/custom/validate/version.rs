//! One version: its schema, subresources, columns, selectable fields.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{defaults, keywords, structural};
use crate::kinds::custom::definition::{list, text};
use crate::status::{FieldError, FieldErrorKind};

/// As many fields may be selectable (KEP-4358).
const MAX_SELECTABLE: usize = 8;

/// The simple JSON paths that columns and scale may use: fields, indices, filters; no scripts.
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\.[^.\[\]\s]+|\.\[[^\[\]]+\]|\[[^\[\]]+\]|\\\.|\.)+$")
        .expect("a constant that the tests compile")
});

pub(super) fn check(version: &Value, path: &str, errors: &mut Vec<FieldError>) {
    deprecation(version, path, errors);
    let schema = &version["schema"]["openAPIV3Schema"];
    let schema_path = format!("{path}.schema.openAPIV3Schema");
    if schema.is_object() {
        check_schema(schema, &schema_path, errors);
    } else {
        errors.push(FieldError::required(schema_path, ""));
    }
    scale(version, path, errors);
    for (index, column) in list(version, &["additionalPrinterColumns"])
        .iter()
        .enumerate()
    {
        check_column(
            column,
            &format!("{path}.additionalPrinterColumns[{index}]"),
            errors,
        );
    }
    selectable(version, schema, path, errors);
}

fn check_schema(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let before = errors.len();
    if schema["nullable"] == true {
        errors.push(FieldError::forbidden(
            format!("{path}.nullable"),
            "nullable cannot be true at the root",
        ));
    }
    structural::check(schema, path, errors);
    if errors.len() == before {
        defaults::check(schema, path, errors);
    }
    keywords::check_root(schema, path, errors);
}

fn deprecation(version: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(warning) = version["deprecationWarning"].as_str() else {
        return;
    };
    let why = if version["deprecated"] != true {
        "can only be set for deprecated versions"
    } else if warning.len() > 256 {
        "must be <= 256 characters long"
    } else if warning.is_empty() {
        "must not be an empty string"
    } else if warning.chars().any(char::is_control) {
        "must only contain printable UTF-8 characters; control character found"
    } else {
        return;
    };
    errors.push(FieldError::invalid(
        format!("{path}.deprecationWarning"),
        &warning.into(),
        why,
    ));
}

fn scale(version: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let scale = &version["subresources"]["scale"];
    if !scale.is_object() {
        return;
    }
    let rules: [(&str, bool, &[&str], &str); 3] = [
        (
            "specReplicasPath",
            true,
            &[".spec."],
            "should be a json path under .spec",
        ),
        (
            "statusReplicasPath",
            true,
            &[".status."],
            "should be a json path under .status",
        ),
        (
            "labelSelectorPath",
            false,
            &[".spec.", ".status."],
            "should be a json path under either .spec or .status",
        ),
    ];
    for (field, required, prefixes, why) in rules {
        let (path, value) = (
            format!("{path}.subresources.scale.{field}"),
            text(scale, &[field]),
        );
        if value.is_empty() {
            if required {
                errors.push(FieldError::required(path, ""));
            }
        } else if value.contains('[') {
            errors.push(FieldError::invalid(
                path,
                &value.into(),
                "array notation is not allowed",
            ));
        } else if !prefixes.iter().any(|prefix| value.starts_with(prefix)) {
            errors.push(FieldError::invalid(path, &value.into(), why));
        }
    }
}

fn check_column(column: &Value, path: &str, errors: &mut Vec<FieldError>) {
    const TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
    const FORMATS: &[&str] = &[
        "byte",
        "date",
        "date-time",
        "double",
        "float",
        "int32",
        "int64",
        "password",
    ];
    if text(column, &["name"]).is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), ""));
    }
    let (kind, format, json_path) = (
        text(column, &["type"]),
        text(column, &["format"]),
        text(column, &["jsonPath"]),
    );
    let one_of = |list: &[&str]| format!("must be one of {}", list.join(","));
    if kind.is_empty() {
        errors.push(FieldError::required(format!("{path}.type"), one_of(TYPES)));
    } else if !TYPES.contains(&kind) {
        errors.push(FieldError::invalid(
            format!("{path}.type"),
            &kind.into(),
            one_of(TYPES),
        ));
    }
    if !format.is_empty() && !FORMATS.contains(&format) {
        errors.push(FieldError::invalid(
            format!("{path}.format"),
            &format.into(),
            one_of(FORMATS),
        ));
    }
    if json_path.is_empty() {
        errors.push(FieldError::required(format!("{path}.jsonPath"), ""));
    } else if !PATH.is_match(json_path) {
        errors.push(FieldError::invalid(
            format!("{path}.jsonPath"),
            &json_path.into(),
            "is an invalid JSON path",
        ));
    }
}

fn selectable(version: &Value, schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let fields = list(version, &["selectableFields"]);
    let mut seen = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let path = format!("{path}.selectableFields[{index}].jsonPath");
        let written = text(field, &["jsonPath"]);
        let steps: Vec<&str> = written.trim_start_matches('.').split('.').collect();
        let found = steps
            .iter()
            .try_fold(schema, |schema, step| schema["properties"].get(*step));
        if written.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if steps.first() == Some(&"metadata") {
            errors.push(FieldError::invalid(
                path,
                &written.into(),
                "must not point to fields in metadata",
            ));
        } else if let Some(found) = found {
            if !matches!(text(found, &["type"]), "string" | "boolean" | "integer") {
                let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
                errors.push(FieldError::invalid(path, &written.into(), why));
            } else if seen.contains(&written) {
                errors.push(FieldError::new(
                    FieldErrorKind::Duplicate,
                    path,
                    format!("{written:?}"),
                    "",
                ));
            }
        } else {
            errors.push(FieldError::invalid(
                path,
                &written.into(),
                "is an invalid path: does not refer to a valid field",
            ));
        }
        seen.push(written);
    }
    if fields.len() > MAX_SELECTABLE {
        let detail = format!("must have at most {MAX_SELECTABLE} items");
        errors.push(FieldError::new(
            FieldErrorKind::TooMany,
            format!("{path}.selectableFields"),
            fields.len().to_string(),
            detail,
        ));
    }
}
