//! Lists that merge: sets of scalars, and maps by a merge key.

use serde_json::{Map, Value};

use super::map::{merge_map, unknown_directive, without_directives};
use super::order::enforce_order;
use super::{DIRECTIVE, PatchShape, StrategicError};

/// The list that a patch makes of `original`.
pub(super) fn merge_list<S: PatchShape>(
    original: Vec<Value>,
    patch: Vec<Value>,
    shape: Option<&S>,
) -> Result<Vec<Value>, StrategicError> {
    let maps = elements_are_maps(original.iter().chain(&patch))?;
    let merge_key = shape.map_or("", PatchShape::merge_key);
    let server_order = original.clone();
    if !maps {
        let mut merged: Vec<Value> = Vec::new();
        for item in original.into_iter().chain(patch.iter().cloned()) {
            if !merged.contains(&item) {
                merged.push(item);
            }
        }
        return enforce_order(merged, &patch, &server_order, "");
    }
    if merge_key.is_empty() {
        return Err(StrategicError::NoMergeKeyDefined);
    }
    let element = shape.and_then(PatchShape::element);
    let (mut merged, changes) = apply_directives(original, patch, merge_key)?;
    for change in &changes {
        let key = key_of(change, merge_key)?;
        let found = merged
            .iter()
            .position(|item| item.get(merge_key) == Some(key));
        match found {
            Some(at) => {
                let Value::Object(present) = merged[at].take() else {
                    return Err(StrategicError::MixedList(Value::from(merged).to_string()));
                };
                let change = change.as_object().cloned().unwrap_or_default();
                merged[at] = Value::Object(merge_map(present, change, element)?);
            }
            None => merged.extend(without_directives(change)),
        }
    }
    enforce_order(merged, &changes, &server_order, merge_key)
}

/// Are the elements maps? All must be of one type, and none a list.
fn elements_are_maps<'a>(
    mut items: impl Iterator<Item = &'a Value>,
) -> Result<bool, StrategicError> {
    let Some(first) = items.next() else {
        return Ok(false);
    };
    if first.is_array() {
        return Err(StrategicError::ListOfLists);
    }
    match items.find(|item| std::mem::discriminant(*item) != std::mem::discriminant(first)) {
        Some(other) => Err(StrategicError::MixedList(format!("{first} {other}"))),
        None => Ok(first.is_object()),
    }
}

pub(super) fn key_of<'a>(item: &'a Value, merge_key: &str) -> Result<&'a Value, StrategicError> {
    item.get(merge_key)
        .ok_or_else(|| StrategicError::NoMergeKey(item.to_string(), merge_key.to_owned()))
}

/// Carries out `$patch: delete` and `$patch: replace` elements; gives the list and the ordinary elements left to merge.
fn apply_directives(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
    let mut changes = Vec::with_capacity(patch.len());
    let mut replace = false;
    for item in patch {
        match item.get(DIRECTIVE).cloned() {
            None => changes.push(item),
            Some(directive) => match directive.as_str() {
                Some("delete") => {
                    let key = key_of(&item, merge_key)?;
                    original.retain(|present| present.get(merge_key) != Some(key));
                }
                Some("replace") => {
                    replace = true;
                    // The directive normally stands alone; fields beside it are an element of their own.
                    let rest: Map<String, Value> = item
                        .as_object()
                        .map(|fields| fields.iter().filter(|(key, _)| *key != DIRECTIVE))
                        .into_iter()
                        .flatten()
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    if !rest.is_empty() {
                        changes.push(Value::Object(rest));
                    }
                }
                Some("merge") => return Err(StrategicError::MergeDirective),
                _ => {
                    let fields = item.as_object().cloned().unwrap_or_default();
                    return Err(unknown_directive(&directive, fields));
                }
            },
        }
    }
    if replace {
        let list = changes.iter().filter_map(without_directives).collect();
        return Ok((list, Vec::new()));
    }
    Ok((original, changes))
}
