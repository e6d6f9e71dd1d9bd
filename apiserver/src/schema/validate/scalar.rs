//! Restrictions on strings and numbers, and enumerations.

use serde_json::Value;

use super::walk::Walk;
use crate::schema::model::Schema;
use crate::status::{FieldError, FieldErrorKind};

pub(super) fn check_string(
    walk: &mut Walk,
    schema: &Schema,
    value: &Value,
    text: &str,
    path: &str,
) {
    let rules = schema.rules();
    let length = text.chars().count() as u64;
    if let Some(most) = rules.max_length.filter(|most| length > *most) {
        let detail = format!("may not be more than {most} bytes");
        walk.push(FieldError::new(FieldErrorKind::TooLong, path, "", detail));
    } else if let Some(least) = rules.min_length.filter(|least| length < *least) {
        // As upstream, one finding a text.
        let detail = format!("{path} in body should be at least {least} chars long");
        walk.push(FieldError::invalid(path, value, detail));
    } else if let Some(pattern) = &rules.pattern
        && !pattern.regex().is_some_and(|regex| regex.is_match(text))
    {
        let detail = format!("{path} in body should match '{}'", pattern.text);
        walk.push(FieldError::invalid(path, value, detail));
    }
}

pub(super) fn check_number(walk: &mut Walk, schema: &Schema, value: &Value, path: &str) {
    let Some(number) = value.as_f64() else { return };
    let rules = schema.rules();
    let mut say = |what: String| {
        walk.push(FieldError::invalid(
            path,
            value,
            format!("{path} in body should be {what}"),
        ))
    };
    if let Some(factor) = rules.multiple_of
        && factor > 0.0
        && !is_multiple(number, factor)
    {
        say(format!("a multiple of {factor}"));
    }
    match (rules.maximum, rules.exclusive_maximum) {
        (Some(most), true) if number >= most => say(format!("less than {most}")),
        (Some(most), false) if number > most => say(format!("less than or equal to {most}")),
        _ => {}
    }
    match (rules.minimum, rules.exclusive_minimum) {
        (Some(least), true) if number <= least => say(format!("greater than {least}")),
        (Some(least), false) if number < least => say(format!("greater than or equal to {least}")),
        _ => {}
    }
    let fits = match schema.format() {
        Some("int32") => {
            value.as_i64().is_none_or(|n| i32::try_from(n).is_ok()) && !value.is_u64_only()
        }
        Some("int64") => !value.is_u64_only(),
        _ => true,
    };
    if !fits {
        let (kind, format) = (
            schema.value_type().as_str(),
            schema.format().unwrap_or_default(),
        );
        let detail = format!("Checked value must be of type {kind} with format {format} in {path}");
        walk.push(FieldError::invalid(path, value, detail));
    }
}

trait BeyondI64 {
    /// An integer that only fits in 64 bits without sign.
    fn is_u64_only(&self) -> bool;
}

impl BeyondI64 for Value {
    fn is_u64_only(&self) -> bool {
        self.is_u64() && !self.is_i64()
    }
}

fn is_multiple(number: f64, factor: f64) -> bool {
    let quotient = number / factor;
    (quotient - quotient.round()).abs() < 1e-9 * quotient.abs().max(1.0)
}

pub(super) fn check_enumeration(walk: &mut Walk, schema: &Schema, value: &Value, path: &str) {
    let Some(allowed) = &schema.rules().enumeration else {
        return;
    };
    if allowed.iter().any(|one| equal(one, value)) {
        return;
    }
    let listed: Vec<String> = allowed
        .iter()
        .map(|one| match one {
            Value::String(text) => format!("{text:?}"),
            other => format!("{:?}", other.to_string()),
        })
        .collect();
    let detail = format!("supported values: {}", listed.join(", "));
    walk.push(FieldError::new(
        FieldErrorKind::NotSupported,
        path,
        value.to_string(),
        detail,
    ));
}

/// JSON equality in which 1 and 1.0 are the same number.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}
