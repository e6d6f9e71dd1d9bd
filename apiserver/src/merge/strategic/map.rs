//! Maps: directives first, then field by field.

use serde_json::{Map, Value};

use super::list::merge_list;
use super::order::{check_element_order, enforce_order};
use super::{
    DELETE_PRIMITIVES, DIRECTIVE, ELEMENT_ORDER, PatchShape, RETAIN_KEYS, StrategicError, type_name,
};

/// The map that `patch` makes of `original`.
pub(super) fn merge_map<S: PatchShape>(
    mut original: Map<String, Value>,
    mut patch: Map<String, Value>,
    shape: Option<&S>,
) -> Result<Map<String, Value>, StrategicError> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(&directive, patch)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    merge_ordered_lists(&mut original, &mut patch, shape)?;
    for (key, change) in patch {
        if let Some(field) = key.strip_prefix(DELETE_PRIMITIVES) {
            delete_primitives(&mut original, field, change)?;
        } else {
            merge_field(&mut original, key, change, shape)?;
        }
    }
    Ok(original)
}

pub(super) fn unknown_directive(directive: &Value, patch: Map<String, Value>) -> StrategicError {
    let text = match directive {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    StrategicError::UnknownDirective(text, Value::Object(patch).to_string())
}

/// Takes away what `$retainKeys` does not name.
fn retain_keys(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
) -> Result<(), StrategicError> {
    let Some(retained) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let Value::Array(retained) = retained else {
        return Err(StrategicError::BadRetainKeys);
    };
    let names = |key: &String| retained.iter().any(|item| item.as_str() == Some(key));
    // Every field that the patch sets must be retained too.
    let is_directive = |key: &String| key.starts_with('$');
    if !patch
        .iter()
        .all(|(key, value)| value.is_null() || is_directive(key) || names(key))
    {
        return Err(StrategicError::BadRetainKeys);
    }
    original.retain(|key, _| names(key));
    Ok(())
}

/// Merges the lists that come with a `$setElementOrder`, and takes both out of the patch.
fn merge_ordered_lists<S: PatchShape>(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    shape: Option<&S>,
) -> Result<(), StrategicError> {
    let directives: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ELEMENT_ORDER))
        .cloned()
        .collect();
    for directive in directives {
        let Some(Value::Array(order)) = patch.remove(&directive) else {
            return Err(StrategicError::BadElementOrder);
        };
        let field = &directive[ELEMENT_ORDER.len()..];
        let field_shape = shape.and_then(|shape| shape.field(field));
        let merge_key = field_shape.map_or("", PatchShape::merge_key);
        let present = original.get(field).map(as_list).transpose()?;
        let change = patch.get(field).map(as_list).transpose()?;
        if let Some(change) = change {
            check_element_order(change, &order, merge_key)?;
        }
        let server_order = present.cloned().unwrap_or_default();
        let merged = match (present, change) {
            (None, None) => continue,
            (Some(present), None) => present.clone(),
            (None, Some(change)) => change.iter().filter_map(without_directives).collect(),
            (Some(present), Some(change)) => {
                merge_list(present.clone(), change.clone(), field_shape)?
            }
        };
        let ordered = enforce_order(merged, &order, &server_order, merge_key)?;
        original.insert(field.to_owned(), Value::Array(ordered));
        patch.remove(field);
    }
    Ok(())
}

fn as_list(value: &Value) -> Result<&Vec<Value>, StrategicError> {
    match value {
        Value::Array(list) => Ok(list),
        other => Err(StrategicError::BadType("list", type_name(other))),
    }
}

fn delete_primitives(
    original: &mut Map<String, Value>,
    field: &str,
    change: Value,
) -> Result<(), StrategicError> {
    let Value::Array(doomed) = change else {
        return Err(StrategicError::BadPrimitiveList);
    };
    if doomed
        .iter()
        .any(|item| item.is_object() || item.is_array())
    {
        return Err(StrategicError::BadPrimitiveList);
    }
    if let Some(Value::Array(list)) = original.get_mut(field) {
        list.retain(|item| !doomed.contains(item));
    }
    Ok(())
}

fn merge_field<S: PatchShape>(
    original: &mut Map<String, Value>,
    key: String,
    change: Value,
    shape: Option<&S>,
) -> Result<(), StrategicError> {
    if change.is_null() {
        original.remove(&key);
        return Ok(());
    }
    let field_shape = shape.and_then(|shape| shape.field(&key));
    let merged = match (original.remove(&key), change) {
        (Some(Value::Object(present)), Value::Object(change)) => {
            if field_shape.is_some_and(PatchShape::replaces) {
                Value::Object(change)
            } else {
                Value::Object(merge_map(present, change, field_shape)?)
            }
        }
        (Some(Value::Array(present)), Value::Array(change)) => {
            if field_shape.is_some_and(PatchShape::merges) {
                Value::Array(merge_list(present, change, field_shape)?)
            } else {
                Value::Array(change)
            }
        }
        (Some(present), change)
            if std::mem::discriminant(&present) == std::mem::discriminant(&change) =>
        {
            change
        }
        (_, change) => match without_directives(&change) {
            Some(value) => value,
            None => return Ok(()),
        },
    };
    original.insert(key, merged);
    Ok(())
}

/// A value of the patch as it is where the object had nothing: no directives, no nulls in maps. `None` for a list
/// element that only deletes.
pub(super) fn without_directives(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let directive = fields.get(DIRECTIVE).and_then(Value::as_str);
            if directive == Some("delete") {
                return None;
            }
            let kept = fields
                .iter()
                .filter(|(key, value)| !key.starts_with('$') && !value.is_null())
                .filter_map(|(key, value)| Some((key.clone(), without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(list) => Some(list.iter().filter_map(without_directives).collect()),
        scalar => Some(scalar.clone()),
    }
}
