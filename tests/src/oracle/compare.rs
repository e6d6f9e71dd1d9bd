//! Where two answers differ, value by value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::answer::{Answer, Body};
use super::variables::unescape;

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Where: `status`, `header <name>`, or `body` with the steps to the value; members of named lists stand in brackets.
    pub at: String,
    /// What upstream says there, if anything.
    pub upstream: Option<Value>,
    /// What we say there, if anything.
    pub ours: Option<Value>,
}

/// All differences of two normalised answers, in the parts of the body that are looked at (everything, if none is named).
#[must_use]
pub fn compare(upstream: &Answer, ours: &Answer, see: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |at: String, upstream: Option<Value>, ours: Option<Value>| {
        if upstream != ours {
            findings.push(Finding { at, upstream, ours });
        }
    };
    note(
        "status".to_owned(),
        Some(upstream.status.into()),
        Some(ours.status.into()),
    );
    let names: BTreeSet<&String> = upstream.headers.keys().chain(ours.headers.keys()).collect();
    for name in names {
        let of = |answer: &Answer| answer.headers.get(name).map(|text| text.clone().into());
        note(format!("header {name}"), of(upstream), of(ours));
    }
    match (&upstream.body, &ours.body) {
        (Body::Tree(a), Body::Tree(b)) => {
            let [a, b] = [a, b].map(|tree| seen(&keyed(tree), see));
            trees("body", Some(&a), Some(&b), &mut findings);
        }
        (a, b) => {
            let of = |body: &Body| match body {
                Body::Tree(tree) => tree.clone(),
                Body::Text(text) => text.clone().into(),
            };
            note("body".to_owned(), Some(of(a)), Some(of(b)));
        }
    }
    findings
}

fn trees(at: &str, upstream: Option<&Value>, ours: Option<&Value>, findings: &mut Vec<Finding>) {
    match (upstream, ours) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                trees(&format!("{at}/{key}"), a.get(key), b.get(key), findings);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if holds_objects(a) || holds_objects(b) => {
            for index in 0..a.len().max(b.len()) {
                trees(
                    &format!("{at}/{index}"),
                    a.get(index),
                    b.get(index),
                    findings,
                );
            }
        }
        (a, b) if a == b => {}
        (a, b) => findings.push(Finding {
            at: at.to_owned(),
            upstream: a.cloned(),
            ours: b.cloned(),
        }),
    }
}

fn holds_objects(list: &[Value]) -> bool {
    list.iter().any(|one| one.is_object() || one.is_array())
}

/// The value with every list whose members have names as a map of `[name]`, and the order of the names beside it.
fn keyed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), keyed(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => {
            let members: Vec<Value> = list.iter().map(keyed).collect();
            let names: Vec<Option<String>> = list.iter().map(name).collect();
            let different: BTreeSet<&String> = names.iter().flatten().collect();
            if list.is_empty() || different.len() < list.len() {
                return members.into();
            }
            let names: Vec<String> = names.into_iter().flatten().collect();
            let mut map: Map<String, Value> = Map::new();
            map.insert("(order)".to_owned(), names.clone().into());
            for (name, member) in names.into_iter().zip(members) {
                map.insert(format!("[{name}]"), member);
            }
            map.into()
        }
        other => other.clone(),
    }
}

fn name(member: &Value) -> Option<String> {
    let text = |value: Option<&Value>| Some(value?.as_str()?.to_owned());
    let metadata = member.get("metadata");
    if let Some(name) = text(metadata.and_then(|metadata| metadata.get("name"))) {
        return Some(name);
    }
    // An event of a watch has a type, but the order of its likes is what counts.
    if member.get("object").is_some() {
        return None;
    }
    ["name", "resource", "groupVersion", "version", "type"]
        .iter()
        .find_map(|field| text(member.get(*field)))
}

/// The parts of a value that are looked at.
fn seen(value: &Value, see: &[String]) -> Value {
    if see.is_empty() {
        return value.clone();
    }
    let mut parts = BTreeMap::new();
    for pointer in see {
        let (pointer, keys_only) = match pointer.strip_suffix(" keys") {
            Some(pointer) => (pointer, true),
            None => (pointer.as_str(), false),
        };
        let steps: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
        pick(value, &steps, String::new(), keys_only, &mut parts);
    }
    parts.into_iter().collect::<Map<_, _>>().into()
}

fn pick(
    value: &Value,
    steps: &[String],
    at: String,
    keys_only: bool,
    parts: &mut BTreeMap<String, Value>,
) {
    let Some((step, rest)) = steps.split_first() else {
        let part = match value {
            Value::Object(fields) if keys_only => fields.keys().cloned().collect(),
            other => other.clone(),
        };
        parts.insert(at.trim_start_matches('/').to_owned(), part);
        return;
    };
    let mut go = |key: &str, value: &Value| {
        if step == "*" || step == key {
            pick(value, rest, format!("{at}/{key}"), keys_only, parts);
        }
    };
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key != "(order)" || step == key {
                    go(key, value);
                }
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                go(&index.to_string(), value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(body: Value) -> Answer {
        Answer {
            status: 200,
            headers: BTreeMap::new(),
            body: Body::Tree(body),
        }
    }

    #[test]
    fn named_lists_are_compared_by_name_and_their_order_too() {
        let a = answer(json!({"items": [{"name": "a", "x": 1}, {"name": "b"}]}));
        let b = answer(json!({"items": [{"name": "b"}, {"name": "a", "x": 2}]}));
        let at: Vec<String> = compare(&a, &b, &[]).into_iter().map(|f| f.at).collect();
        assert_eq!(at, ["body/items/(order)", "body/items/[a]/x"]);
    }

    #[test]
    fn only_what_is_looked_at_counts() {
        let a = answer(json!({"paths": {"/a": {"get": 1}, "/b": {"get": 1}}, "info": 1}));
        let b = answer(json!({"paths": {"/a": {"get": 1}, "/b": {"get": 2}}, "info": 2}));
        let see = |pointer: &str| compare(&a, &b, &[pointer.to_owned()]).len();
        assert_eq!(see("/paths/~1a"), 0);
        assert_eq!(see("/paths/*/get"), 1);
        assert_eq!(see("/paths keys"), 0);
        assert_eq!(see("/info"), 1);
    }
}
