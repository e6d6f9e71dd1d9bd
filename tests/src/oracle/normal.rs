//! Taking out of an answer what two right servers say differently: times, uids, revisions, tokens, allocated addresses.
//!
//! Causes of an error are compared as a set, because upstream repeats them and goes through maps in any order.
//! What stays comparable is kept: whether an object's revision moved since the script last saw it is part of the answer.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::answer::{Answer, Body};

static UUID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a pattern")
});
static MICRO_TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z").expect("a pattern"));
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ").expect("a pattern"));
static AGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\d+[smhd](\d+[smh])?( ago)?$").expect("a pattern"));
static TOO_OLD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(resource version: )(?:\d+|<\w+>)( \()(?:\d+|<\w+>)\)").expect("a pattern")
});
static IN_RECORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"in record \(\d+\)").expect("a pattern"));
static LARGER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"current: \d+").expect("a pattern"));
static HOST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"127\.0\.0\.1:\d+").expect("a pattern"));

/// The headers that clients rely on.
const HEADERS: [&str; 9] = [
    "allow",
    "cache-control",
    "content-type",
    "etag",
    "location",
    "retry-after",
    "vary",
    "warning",
    "www-authenticate",
];
/// Headers of which only the presence is compared.
const PRESENT: [&str; 2] = ["audit-id", "etag"];
/// Kinds that controllers write to at any time: whether their revision moved is not the request's doing.
const RESTLESS: [&str; 2] = ["CustomResourceDefinition", "Namespace"];

/// The revision at which a script last saw each object, by uid.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<String, String>);

/// An answer that can be compared. `captured` are texts of this side to be replaced by the names of their variables.
#[must_use]
pub fn normalise(answer: &Answer, captured: &[(String, String)], seen: &mut Seen) -> Answer {
    let text = |text: &str| normal_text(text, captured);
    let mut headers = BTreeMap::new();
    for (name, value) in &answer.headers {
        if PRESENT.contains(&name.as_str()) {
            headers.insert(name.clone(), "<given>".to_owned());
        } else if HEADERS.contains(&name.as_str()) {
            headers.insert(name.clone(), text(value));
        }
    }
    let body = match &answer.body {
        Body::Text(body) => Body::Text(text(body)),
        Body::Tree(tree) => {
            let mut tree = tree.clone();
            walk(&mut tree, "", captured, seen);
            Body::Tree(tree)
        }
    };
    Answer {
        status: answer.status,
        headers,
        body,
    }
}

fn walk(value: &mut Value, field: &str, captured: &[(String, String)], seen: &mut Seen) {
    match value {
        Value::String(text) => *text = field_text(text, field, captured),
        Value::Array(list) => {
            for one in list {
                walk(one, field, captured, seen);
            }
        }
        Value::Object(fields) => {
            let restless = fields
                .get("kind")
                .and_then(Value::as_str)
                .is_some_and(|kind| RESTLESS.contains(&kind));
            if let Some(metadata) = fields.get_mut("metadata") {
                revision(metadata, restless, seen);
            }
            if let Some(Value::Array(causes)) = fields.get_mut("causes") {
                causes.sort_by_key(ToString::to_string);
                causes.dedup();
            }
            for (key, value) in fields.iter_mut() {
                if key == "nodePort" || key == "healthCheckNodePort" {
                    *value = "<port>".into();
                }
                walk(value, key, captured, seen);
            }
        }
        _ => {}
    }
}

/// Says of an object's revision whether it is the one that the script saw before.
fn revision(metadata: &mut Value, restless: bool, seen: &mut Seen) {
    let Some(now) = metadata.get("resourceVersion").and_then(Value::as_str) else {
        return;
    };
    if now.is_empty() || now == "0" {
        return;
    }
    let now = now.to_owned();
    let word = match metadata.get("uid").and_then(Value::as_str) {
        Some(uid) if !restless => match seen.0.insert(uid.to_owned(), now.clone()) {
            Some(before) if before == now => "<revision: as seen>",
            _ => "<revision: new>",
        },
        _ => "<revision>",
    };
    metadata["resourceVersion"] = word.into();
}

fn field_text(text: &str, field: &str, captured: &[(String, String)]) -> String {
    match field {
        "continue" if !text.is_empty() => "<continue>".to_owned(),
        "clusterIP" | "clusterIPs" if text.starts_with("10.") => "<address>".to_owned(),
        "cells" if AGE.is_match(text) => "<age>".to_owned(),
        "caBundle" | "token" | "storageVersionHash" if text.len() > 40 => format!("<{field}>"),
        "ca.crt" => "<certificate>".to_owned(),
        "serverRelativeURL" => text.split('=').next().unwrap_or_default().to_owned(),
        _ => normal_text(text, captured),
    }
}

fn normal_text(text: &str, captured: &[(String, String)]) -> String {
    let mut text = IN_RECORD
        .replace_all(text, "in record (<now>)")
        .into_owned();
    text = UUID.replace_all(&text, "<uid>").into_owned();
    for (from, to) in captured {
        text = replace(&text, from, to);
    }
    for (pattern, word) in [
        (&MICRO_TIME, "<micro time>"),
        (&TIME, "<time>"),
        (&TOO_OLD, "${1}<old>${2}<now>)"),
        (&LARGER, "current: <now>"),
        (&HOST, "<host>"),
    ] {
        text = pattern.replace_all(&text, word).into_owned();
    }
    text
}

/// Replaces a captured text; a number, as revisions are, only where it stands alone: not the first digits of another, nor those of a name.
fn replace(text: &str, from: &str, to: &str) -> String {
    if from.is_empty() || !from.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.replace(from, to);
    }
    let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let mut out = String::new();
    let mut rest = 0;
    for (at, _) in text.match_indices(from) {
        let end = at + from.len();
        if !text[..at].ends_with(joins) && !text[end..].starts_with(joins) {
            out.push_str(&text[rest..at]);
            out.push_str(to);
            rest = end;
        }
    }
    out + &text[rest..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_replaced_where_they_are_revisions() {
        let replaced = |text| replace(text, "12", "<rv>");
        assert_eq!(
            replaced("rv 12, \"12\" and 12"),
            "rv <rv>, \"<rv>\" and <rv>"
        );
        for other in ["12345", "512", "12-abc", "20:12:00", "1.12", "x12", ""] {
            assert_eq!(replaced(other), other);
        }
        assert_eq!(replace("name-of-it", "of", "<x>"), "name-<x>-it");
    }
}
