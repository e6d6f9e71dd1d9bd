//! The rules of structural schemas (`apiextensions-apiserver/pkg/apiserver/schema/validation.go`).

use regex::Regex;
use serde_json::{Value, json};

use crate::kinds::custom::definition::{list, text};
use crate::status::FieldError;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

pub(super) fn check(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    node(schema, Level::Root, path, errors);
    complete(schema, schema, path, errors);
}

fn is_set(schema: &Value, key: &str) -> bool {
    schema.get(key).is_some_and(|value| *value == true)
}

fn present<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key).filter(|value| !value.is_null())
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn node(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let kind = text(schema, &["type"]);
    match present(schema, "items") {
        Some(items) => node(items, Level::Item, &format!("{path}.items"), errors),
        None if kind == "array" => errors.push(FieldError::required(
            format!("{path}.items"),
            "must be specified",
        )),
        None => {}
    }
    for (name, property) in properties(schema) {
        node(
            property,
            Level::Field,
            &format!("{path}.properties[{name}]"),
            errors,
        );
    }
    if let Some(additional) = present(schema, "additionalProperties") {
        if level == Level::Root {
            errors.push(FieldError::forbidden(
                format!("{path}.additionalProperties"),
                "must not be used at the root",
            ));
        }
        if additional.is_object() {
            node(
                additional,
                Level::Field,
                &format!("{path}.additionalProperties"),
                errors,
            );
        }
    }
    extensions(schema, kind, path, errors);
    node_type(schema, kind, level, path, errors);
    values(
        schema,
        path,
        is_int_or_string(schema),
        int_or_string_first(schema),
        errors,
    );
    metadata(schema, level, path, errors);
}

fn extensions(schema: &Value, kind: &str, path: &str, errors: &mut Vec<FieldError>) {
    let embedded = is_set(schema, "x-kubernetes-embedded-resource");
    let preserve = is_set(schema, "x-kubernetes-preserve-unknown-fields");
    let int_or_string = is_set(schema, "x-kubernetes-int-or-string");
    if int_or_string {
        for (set, key) in [
            (preserve, "x-kubernetes-preserve-unknown-fields"),
            (embedded, "x-kubernetes-embedded-resource"),
        ] {
            if set {
                let detail = "must be false if x-kubernetes-int-or-string is true";
                errors.push(FieldError::invalid(
                    format!("{path}.{key}"),
                    &true.into(),
                    detail,
                ));
            }
        }
    }
    if !embedded {
        return;
    }
    let why = "must be object if x-kubernetes-embedded-resource is true";
    match kind {
        "object" => {}
        "" => errors.push(FieldError::required(format!("{path}.type"), why)),
        other => errors.push(FieldError::invalid(
            format!("{path}.type"),
            &other.into(),
            why,
        )),
    }
    if present(schema, "additionalProperties").is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(FieldError::forbidden(
            format!("{path}.additionalProperties"),
            why,
        ));
    }
    if !preserve && properties(schema).next().is_none() {
        let why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(format!("{path}.properties"), why));
    }
}

fn node_type(schema: &Value, kind: &str, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let open = [
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
    ];
    if kind.is_empty() && !open.iter().any(|key| is_set(schema, key)) {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(format!("{path}.type"), why));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid(
            format!("{path}.type"),
            &kind.into(),
            "must be object at the root",
        ));
    }
}

/// Metadata is described implicitly: a schema may only restrict the names.
fn metadata(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let whole = level == Level::Root || is_set(schema, "x-kubernetes-embedded-resource");
    if !whole {
        return;
    }
    for name in ["kind", "apiVersion"] {
        if let Some(property) = schema["properties"].get(name)
            && text(property, &["type"]) != "string"
        {
            let kind = property["type"].clone();
            errors.push(FieldError::invalid(
                format!("{path}.properties[{name}].type"),
                &kind,
                "must be string",
            ));
        }
    }
    let Some(metadata) = schema["properties"].get("metadata") else {
        return;
    };
    let path = format!("{path}.properties[metadata]");
    if text(metadata, &["type"]) != "object" {
        errors.push(FieldError::invalid(
            format!("{path}.type"),
            &metadata["type"].clone(),
            "must be object",
        ));
    }
    let names_only = properties(metadata).all(|(name, _)| name == "name" || name == "generateName");
    let other = metadata.as_object().is_some_and(|fields| {
        fields.iter().any(|(key, value)| {
            !matches!(
                key.as_str(),
                "type" | "properties" | "default" | "description"
            ) && !value.is_null()
        })
    });
    if level == Level::Root && (!names_only || other) {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::forbidden(path, why));
    }
}

fn int_or_string_branches(list: &[Value]) -> bool {
    *list == [json!({"type": "integer"}), json!({"type": "string"})]
}

fn is_int_or_string(schema: &Value) -> bool {
    is_set(schema, "x-kubernetes-int-or-string")
        && int_or_string_branches(self::list(schema, &["anyOf"]))
}

fn int_or_string_first(schema: &Value) -> bool {
    is_set(schema, "x-kubernetes-int-or-string")
        && list(schema, &["allOf"])
            .first()
            .is_some_and(|first| int_or_string_branches(list(first, &["anyOf"])))
}

/// The value validations of a node: what stands in `allOf`, `anyOf`, `oneOf` and `not` may only restrict values.
fn values(
    schema: &Value,
    path: &str,
    skip_any_of: bool,
    skip_first: bool,
    errors: &mut Vec<FieldError>,
) {
    for key in ["anyOf", "allOf", "oneOf"] {
        if key == "anyOf" && skip_any_of {
            continue;
        }
        for (index, branch) in list(schema, &[key]).iter().enumerate() {
            let skip = key == "allOf" && index == 0 && skip_first;
            nested(branch, &format!("{path}.{key}[{index}]"), skip, errors);
        }
    }
    if let Some(not) = present(schema, "not") {
        nested(not, &format!("{path}.not"), false, errors);
    }
    let pattern = text(schema, &["pattern"]);
    if let Err(error) = Regex::new(pattern) {
        let why = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(
            format!("{path}.pattern"),
            &pattern.into(),
            why,
        ));
    }
}

fn nested(schema: &Value, path: &str, skip_any_of: bool, errors: &mut Vec<FieldError>) {
    values(schema, path, skip_any_of, false, errors);
    if let Some(items) = present(schema, "items") {
        nested(items, &format!("{path}.items"), false, errors);
    }
    for (name, property) in properties(schema) {
        nested(
            property,
            &format!("{path}.properties[{name}]"),
            false,
            errors,
        );
    }
    for (key, why) in [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        (
            "x-kubernetes-preserve-unknown-fields",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-embedded-resource",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-int-or-string",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-list-map-keys",
            "must be empty to be structural",
        ),
        (
            "x-kubernetes-list-type",
            "must be undefined to be structural",
        ),
        (
            "x-kubernetes-map-type",
            "must be undefined to be structural",
        ),
        ("x-kubernetes-validations", "must be empty to be structural"),
    ] {
        let set = present(schema, key)
            .is_some_and(|value| *value != false && *value != "" && *value != json!([]));
        if set {
            errors.push(FieldError::forbidden(format!("{path}.{key}"), why));
        }
    }
    if schema["properties"].get("metadata").is_some() {
        errors.push(FieldError::forbidden(
            format!("{path}.properties[metadata]"),
            "must not be specified in a nested context",
        ));
    }
}

/// What value validations speak of must be specified outside of them.
fn complete(schema: &Value, own: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, branch) in list(own, &[key]).iter().enumerate() {
            covered(
                schema,
                branch,
                path,
                &format!("{path}.{key}[{index}]"),
                errors,
            );
        }
    }
    if let Some(not) = present(own, "not") {
        covered(schema, not, path, &format!("{path}.not"), errors);
    }
    for (name, property) in properties(own) {
        complete(
            property,
            property,
            &format!("{path}.properties[{name}]"),
            errors,
        );
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = present(own, key).filter(|inner| inner.is_object()) {
            complete(inner, inner, &format!("{path}.{key}"), errors);
        }
    }
}

fn covered(schema: &Value, branch: &Value, path: &str, from: &str, errors: &mut Vec<FieldError>) {
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, inner) in list(branch, &[key]).iter().enumerate() {
            covered(
                schema,
                inner,
                path,
                &format!("{from}.{key}[{index}]"),
                errors,
            );
        }
    }
    for (name, property) in properties(branch) {
        let from = format!("{from}.properties[{name}]");
        match schema["properties"].get(name) {
            Some(found) => covered(
                found,
                property,
                &format!("{path}.properties[{name}]"),
                &from,
                errors,
            ),
            None => {
                let why = format!("because it is defined in {from}");
                errors.push(FieldError::required(
                    format!("{path}.properties[{name}]"),
                    why,
                ));
            }
        }
    }
    if let Some(items) = present(branch, "items") {
        let from = format!("{from}.items");
        match present(schema, "items") {
            Some(found) => covered(found, items, &format!("{path}.items"), &from, errors),
            None => errors.push(FieldError::required(
                format!("{path}.items"),
                format!("because it is defined in {from}"),
            )),
        }
    }
}
