//! The table of built-in types, compiled into the program as text and parsed type by type on first use.
//!
//! The text is sorted by type name, so that a type is found by bisection and no index has to be kept. What nobody asks
//! for costs neither time nor memory: pages of the table that are never read are never loaded.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{LazyLock, PoisonError, RwLock};

use serde_json::Value;

use super::model::Schema;

/// One type a line: name, tab, schema. See `xtask`'s generator `builtin`.
static TABLE: &str = include_str!("../../data/builtin/types.tsv");

/// The format that stands for upstream's `resource.Quantity`.
pub(super) const QUANTITY: &str = "quantity";

/// The object metadata of every kind.
pub(crate) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

static PARSED: LazyLock<RwLock<BTreeMap<&'static str, &'static Schema>>> =
    LazyLock::new(RwLock::default);

static ANYTHING: LazyLock<Schema> = LazyLock::new(|| Schema {
    preserve_unknown: true,
    builtin: true,
    ..Schema::default()
});

/// A schema that accepts everything and keeps it.
pub(super) fn anything() -> &'static Schema {
    &ANYTHING
}

/// A built-in type by its upstream name, such as `io.k8s.api.core.v1.Pod`; `None` if the table lacks it. Parsed once
/// and kept for the life of the process.
pub fn builtin_type(name: &str) -> Option<&'static Schema> {
    if let Some(schema) = PARSED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(name)
    {
        return Some(schema);
    }
    let (name, text) = line(name)?;
    let value: Value = serde_json::from_str(text).ok()?;
    let made = Schema::from_builtin(name, &value);
    let mut parsed = PARSED.write().unwrap_or_else(PoisonError::into_inner);
    Some(
        parsed
            .entry(name)
            .or_insert_with(|| Box::leak(Box::new(made))),
    )
}

/// The type as the table has it: OpenAPI v3 with descriptions, but with references as bare type names (`$ref`, beside
/// other keywords where upstream wraps it in `allOf`).
pub fn builtin_type_json(name: &str) -> Option<Value> {
    serde_json::from_str(line(name)?.1).ok()
}

/// The names of all built-in types, sorted.
pub fn builtin_type_names() -> impl Iterator<Item = &'static str> {
    TABLE
        .lines()
        .filter_map(|line| Some(line.split_once('\t')?.0))
}

/// Stands for the whole content of the table.
pub(crate) fn builtin_types_digest() -> u64 {
    static DIGEST: LazyLock<u64> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        TABLE.hash(&mut hasher);
        hasher.finish()
    });
    *DIGEST
}

/// The table's own copy of a type name.
pub(super) fn static_name(name: &str) -> Option<&'static str> {
    line(name).map(|(name, _)| name)
}

fn line(name: &str) -> Option<(&'static str, &'static str)> {
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = TABLE.as_bytes()[..middle]
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        let end = TABLE.as_bytes()[middle..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(TABLE.len(), |at| middle + at);
        let (key, text) = TABLE.get(start..end)?.split_once('\t')?;
        match name.cmp(key) {
            std::cmp::Ordering::Equal => return Some((key, text)),
            std::cmp::Ordering::Less => high = start,
            std::cmp::Ordering::Greater => low = end + 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_and_every_reference_resolves() {
        let mut count = 0;
        for name in builtin_type_names() {
            let found = line(name).unwrap();
            assert_eq!(found.0, name);
            check_references(&builtin_type_json(name).unwrap());
            assert!(builtin_type(name).is_some(), "{name}");
            count += 1;
        }
        assert!(count > 300, "{count}");
        for absent in ["", "a", "zzz", "io.k8s.api.core.v1.Pods"] {
            assert!(line(absent).is_none(), "{absent}");
        }
    }

    fn check_references(value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    assert!(static_name(target).is_some(), "{target}");
                }
                fields.values().for_each(check_references);
            }
            Value::Array(list) => list.iter().for_each(check_references),
            _ => {}
        }
    }
}
