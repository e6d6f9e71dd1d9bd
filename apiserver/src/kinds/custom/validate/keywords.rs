//! Keywords that are not supported, and the rules of list and map types.

use serde_json::Value;

use super::not_supported;
use crate::kinds::custom::definition::{list, text, texts};
use crate::status::FieldError;

const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];

pub(super) fn check_root(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for name in ["apiVersion", "kind", "metadata"] {
        if schema["properties"][name]
            .get("default")
            .is_some_and(|default| !default.is_null())
        {
            let path = format!("{path}.properties[{name}].default");
            errors.push(FieldError::forbidden(
                path,
                format!("must not be set in top-level {name}"),
            ));
        }
    }
    check(schema, path, errors);
}

fn check(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    unsupported(schema, path, errors);
    map_type(schema, path, errors);
    list_type(schema, path, errors);
    rules(schema, path, errors);
    let present = |key: &str| schema.get(key).filter(|value| value.is_object());
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        check(property, &format!("{path}.properties[{name}]"), errors);
    }
    for key in ["items", "additionalProperties", "not"] {
        if let Some(inner) = present(key) {
            check(inner, &format!("{path}.{key}"), errors);
        }
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, inner) in list(schema, &[key]).iter().enumerate() {
            check(inner, &format!("{path}.{key}[{index}]"), errors);
        }
    }
}

fn unsupported(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let kind = text(schema, &["type"]);
    if kind == "null" {
        errors.push(FieldError::forbidden(
            format!("{path}.type"),
            "type cannot be set to null, use nullable as an alternative",
        ));
    } else if !kind.is_empty() && !TYPES.contains(&kind) {
        errors.push(not_supported(format!("{path}.type"), kind, TYPES));
    }
    for key in [
        "id",
        "additionalItems",
        "patternProperties",
        "definitions",
        "dependencies",
        "$ref",
    ] {
        if schema
            .get(key)
            .is_some_and(|value| !value.is_null() && *value != "")
        {
            errors.push(FieldError::forbidden(
                format!("{path}.{key}"),
                format!("{key} is not supported"),
            ));
        }
    }
    if schema["items"].is_array() {
        errors.push(FieldError::forbidden(
            format!("{path}.items"),
            "items must be a schema object and not an array",
        ));
    }
    if schema["uniqueItems"] == true {
        let why =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(format!("{path}.uniqueItems"), why));
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == false {
        let path = format!("{path}.x-kubernetes-preserve-unknown-fields");
        errors.push(FieldError::invalid(
            path,
            &false.into(),
            "must be true or undefined",
        ));
    }
    let additional = &schema["additionalProperties"];
    let has_properties = schema["properties"]
        .as_object()
        .is_some_and(|fields| !fields.is_empty());
    if has_properties && (additional.is_object() || *additional == false) {
        let why = "additionalProperties and properties are mutual exclusive";
        errors.push(FieldError::forbidden(
            format!("{path}.additionalProperties"),
            why,
        ));
    }
}

fn needs_type(
    schema: &Value,
    wanted: &str,
    keyword: &str,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    let why = format!("must be {wanted} if {keyword} is specified");
    match text(schema, &["type"]) {
        "" => errors.push(FieldError::required(format!("{path}.type"), why)),
        found if found != wanted => errors.push(FieldError::invalid(
            format!("{path}.type"),
            &found.into(),
            why,
        )),
        _ => {}
    }
}

fn map_type(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let Some(found) = schema["x-kubernetes-map-type"].as_str() else {
        return;
    };
    needs_type(schema, "object", "x-kubernetes-map-type", path, errors);
    if !matches!(found, "atomic" | "granular") {
        errors.push(not_supported(
            format!("{path}.x-kubernetes-map-type"),
            found,
            &["atomic", "granular"],
        ));
    }
}

fn list_type(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let keys = texts(schema, &["x-kubernetes-list-map-keys"]);
    let type_path = format!("{path}.x-kubernetes-list-type");
    let Some(found) = schema["x-kubernetes-list-type"].as_str() else {
        if !keys.is_empty() {
            errors.push(FieldError::required(
                type_path,
                "must be map if x-kubernetes-list-map-keys is non-empty",
            ));
        }
        return;
    };
    needs_type(schema, "array", "x-kubernetes-list-type", path, errors);
    if !keys.is_empty() && found != "map" {
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(FieldError::invalid(type_path.clone(), &found.into(), why));
    }
    let items = &schema["items"];
    match found {
        "atomic" => {}
        "set" => set_items(items, path, errors),
        "map" => map_items(items, &keys, path, errors),
        _ => errors.push(not_supported(type_path, found, &["atomic", "set", "map"])),
    }
    if matches!(found, "set" | "map") && items["nullable"] == true {
        let why = "cannot be nullable when x-kubernetes-list-type is ";
        errors.push(FieldError::forbidden(
            format!("{path}.items.nullable"),
            format!("{why}{found}"),
        ));
    }
}

/// Items of a set merge as one value.
fn set_items(items: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let (list_type, map_type) = (
        &items["x-kubernetes-list-type"],
        &items["x-kubernetes-map-type"],
    );
    match text(items, &["type"]) {
        "array" if !list_type.is_null() && list_type != "atomic" => {
            errors.push(FieldError::invalid(
                format!("{path}.items.x-kubernetes-list-type"),
                list_type,
                why,
            ));
        }
        "object" if map_type != "atomic" => {
            errors.push(FieldError::invalid(
                format!("{path}.items.x-kubernetes-map-type"),
                map_type,
                why,
            ));
        }
        _ => {}
    }
}

/// Items of a map are objects whose keys are scalars that are always there.
fn map_items(items: &Value, keys: &[String], path: &str, errors: &mut Vec<FieldError>) {
    let keys_path = format!("{path}.x-kubernetes-list-map-keys");
    if keys.is_empty() {
        errors.push(FieldError::required(
            keys_path.clone(),
            "must not be empty if x-kubernetes-list-type is map",
        ));
    }
    if !items.is_object() {
        errors.push(FieldError::required(
            format!("{path}.items"),
            "must have a schema if x-kubernetes-list-type is map",
        ));
        return;
    }
    if text(items, &["type"]) != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(
            format!("{path}.items.type"),
            &items["type"],
            why,
        ));
        return;
    }
    let required = texts(items, &["required"]);
    for (index, key) in keys.iter().enumerate() {
        let key_path = format!("{path}.items.properties[{key}]");
        if keys[..index].contains(key) {
            errors.push(FieldError::invalid(
                keys_path.clone(),
                &keys.into(),
                "must not contain duplicate entries",
            ));
        }
        let Some(property) = items["properties"].get(key) else {
            errors.push(FieldError::invalid(
                keys_path.clone(),
                &keys.into(),
                "entries must all be names of item properties",
            ));
            continue;
        };
        if matches!(text(property, &["type"]), "array" | "object") {
            let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            errors.push(FieldError::invalid(
                format!("{key_path}.type"),
                &items["type"],
                why,
            ));
        }
        if property["nullable"] == true {
            let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(format!("{key_path}.nullable"), why));
        }
        if property["default"].is_null() && !required.contains(key) {
            let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(FieldError::required(format!("{key_path}.default"), why));
        }
    }
}

/// The form of rules in CEL, without looking into the expressions.
fn rules(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (index, rule) in list(schema, &["x-kubernetes-validations"])
        .iter()
        .enumerate()
    {
        let path = format!("{path}.x-kubernetes-validations[{index}]");
        let (expression, message) = (text(rule, &["rule"]).trim(), text(rule, &["message"]));
        if expression.is_empty() {
            errors.push(FieldError::required(
                format!("{path}.rule"),
                "rule is not specified",
            ));
        } else if !message.is_empty() && message.trim().is_empty() {
            errors.push(FieldError::invalid(
                format!("{path}.message"),
                &message.into(),
                "must be non-empty if specified",
            ));
        } else if message.trim().contains(['\n', '\r']) {
            errors.push(FieldError::invalid(
                format!("{path}.message"),
                &message.into(),
                "must not contain line breaks",
            ));
        } else if expression.contains(['\n', '\r']) && message.trim().is_empty() {
            let why = "message must be specified if rule contains line breaks";
            errors.push(FieldError::required(format!("{path}.message"), why));
        }
        const REASONS: &[&str] = &[
            "FieldValueDuplicate",
            "FieldValueForbidden",
            "FieldValueInvalid",
            "FieldValueRequired",
        ];
        let reason = text(rule, &["reason"]);
        if !reason.is_empty() && !REASONS.contains(&reason) {
            errors.push(not_supported(format!("{path}.reason"), reason, REASONS));
        }
    }
}
