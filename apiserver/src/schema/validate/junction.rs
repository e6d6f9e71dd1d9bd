//! `allOf`, `anyOf`, `oneOf` and `not`.

use serde_json::Value;

use super::walk::Walk;
use crate::schema::model::Schema;
use crate::status::{FieldError, FieldErrorKind};

pub(super) fn check(walk: &mut Walk, schema: &Schema, value: &Value, path: &str) {
    let rules = schema.rules();
    if !rules.any_of.is_empty() {
        let (valid, best) = try_all(&rules.any_of, value, path);
        if valid == 0 {
            say(
                walk,
                format!("{path:?} must validate at least one schema (anyOf)"),
            );
            push_all(walk, best);
        }
    }
    if !rules.one_of.is_empty() {
        let (valid, best) = try_all(&rules.one_of, value, path);
        if valid != 1 {
            let why = match valid {
                0 => "Found none valid".to_owned(),
                n => format!("Found {n} valid alternatives"),
            };
            say(
                walk,
                format!("{path:?} must validate one and only one schema (oneOf). {why}"),
            );
            if valid == 0 {
                push_all(walk, best);
            }
        }
    }
    if !rules.all_of.is_empty() {
        let results: Vec<_> = rules
            .all_of
            .iter()
            .map(|one| findings(one, value, path))
            .collect();
        let valid = results.iter().filter(|errors| errors.is_empty()).count();
        if valid != results.len() {
            results
                .into_iter()
                .for_each(|errors| push_all(walk, errors));
            let none = if valid == 0 { ". None validated" } else { "" };
            say(
                walk,
                format!("{path:?} must validate all the schemas (allOf){none}"),
            );
        }
    }
    if let Some(not) = &rules.not
        && findings(not, value, path).is_empty()
    {
        say(walk, format!("{path:?} must not validate the schema (not)"));
    }
}

/// How many of the schemas accept the value, and the findings of the one that comes nearest.
fn try_all(schemas: &[Schema], value: &Value, path: &str) -> (usize, Vec<FieldError>) {
    let results: Vec<_> = schemas
        .iter()
        .map(|one| findings(one, value, path))
        .collect();
    let valid = results.iter().filter(|errors| errors.is_empty()).count();
    (
        valid,
        results.into_iter().min_by_key(Vec::len).unwrap_or_default(),
    )
}

fn findings(schema: &Schema, value: &Value, path: &str) -> Vec<FieldError> {
    let mut walk = Walk::default();
    walk.check(schema, value, None, path);
    walk.into_errors()
}

/// Upstream gives these findings no path: they print as `<nil>`.
fn say(walk: &mut Walk, detail: String) {
    walk.push(FieldError::new(
        FieldErrorKind::Invalid,
        "<nil>",
        "\"\"",
        detail,
    ));
}

fn push_all(walk: &mut Walk, errors: Vec<FieldError>) {
    errors.into_iter().for_each(|error| walk.push(error));
}
