//! The order of merged lists: the patch's own order for what it names, the server's for the rest.

use serde_json::Value;

use super::list::key_of;
use super::{DIRECTIVE, StrategicError};

/// Are two elements the same one?
fn same(a: &Value, b: &Value, merge_key: &str) -> bool {
    if merge_key.is_empty() {
        a == b
    } else {
        a.get(merge_key).is_some() && a.get(merge_key) == b.get(merge_key)
    }
}

fn index(list: &[Value], item: &Value, merge_key: &str) -> Option<usize> {
    list.iter().position(|other| same(other, item, merge_key))
}

/// Puts `merged` in order: elements in `wanted` as there, the others as on the server, the two interleaved such that
/// server-only elements keep their place before those that followed them.
pub(super) fn enforce_order(
    merged: Vec<Value>,
    wanted: &[Value],
    server: &[Value],
    merge_key: &str,
) -> Result<Vec<Value>, StrategicError> {
    if !merge_key.is_empty() {
        for item in merged.iter().chain(wanted) {
            key_of(item, merge_key)?;
        }
    }
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = merged
        .into_iter()
        .partition(|item| index(wanted, item, merge_key).is_some());
    named.sort_by_key(|item| index(wanted, item, merge_key));
    others.sort_by_key(|item| index(server, item, merge_key).unwrap_or(usize::MAX));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let mut named = named.into_iter().peekable();
    let mut others = others.into_iter().peekable();
    loop {
        let other_first = match (others.peek(), named.peek()) {
            (None, None) => return Ok(result),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(other), Some(named)) => {
                let places = (
                    index(server, other, merge_key),
                    index(server, named, merge_key),
                );
                matches!(places, (Some(other), Some(named)) if other < named)
            }
        };
        result.extend(if other_first {
            others.next()
        } else {
            named.next()
        });
    }
}

/// The elements of a patch must occur in its `$setElementOrder`, in the same relative order.
pub(super) fn check_element_order(
    patch: &[Value],
    order: &[Value],
    merge_key: &str,
) -> Result<(), StrategicError> {
    let mut rest = order.iter();
    for item in patch.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        if !rest.any(|wanted| same(wanted, item, merge_key)) {
            return Err(StrategicError::BadElementOrder);
        }
    }
    Ok(())
}
