//! Variables of one script on one side.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Names and values. Each side has its own: uids and revisions differ.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, Value>);

impl Variables {
    /// Sets one.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// These, and those of a case, whose values may name these.
    #[must_use]
    pub fn with(&self, case: &Map<String, Value>) -> Self {
        let mut all = self.clone();
        for (name, value) in case {
            let value = all.fill(value);
            all.set(name, value);
        }
        all
    }

    /// A text with its variables replaced.
    ///
    /// # Panics
    /// A variable is unknown: the script is wrong, or the answer that it should have come from.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').expect("a closed variable");
            filled.push_str(before);
            match self.get(name) {
                Value::String(text) => filled.push_str(&text),
                other => filled.push_str(&other.to_string()),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// A value with the variables in its texts replaced; a text that is one variable becomes its value.
    ///
    /// # Panics
    /// As [`Variables::text`].
    #[must_use]
    pub fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match whole(text) {
                Some(name) => self.fill(&self.get(name)),
                None => self.text(text).into(),
            },
            Value::Array(list) => list.iter().map(|one| self.fill(one)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (self.text(key), self.fill(value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    /// `<name>`: a fixed text instead of a captured value, so that both sides' answers can be compared.
    #[must_use]
    pub fn captured(&self, names: &[String]) -> Vec<(String, String)> {
        let known = names.iter().filter_map(|name| {
            let text = self.0.get(name)?.as_str()?;
            (text.len() >= 3).then(|| (text.to_owned(), format!("<{name}>")))
        });
        known.collect()
    }

    fn get(&self, name: &str) -> Value {
        self.0
            .get(name)
            .cloned()
            .unwrap_or_else(|| format!("<no {name}>").into())
    }
}

/// The name, if the text is one variable and nothing else.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains('}')).then_some(name)
}

/// Changes of a body: pointers with what stands there; null takes it away.
pub(super) fn apply(body: &mut Value, changes: &Value) {
    for (pointer, new) in changes.as_object().into_iter().flatten() {
        let mut place = &mut *body;
        let steps: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
        let Some((last, steps)) = steps.split_last() else {
            continue;
        };
        for step in steps {
            place = member(place, step);
        }
        match (place, new) {
            (Value::Object(fields), Value::Null) => {
                fields.remove(last);
            }
            (Value::Array(list), Value::Null) => {
                list.remove(last.parse().expect("a place in a list"));
            }
            (place, new) => *member(place, last) = literal(new),
        }
    }
}

/// `{"$null": true}` is how a change writes a null.
fn literal(new: &Value) -> Value {
    if new.get("$null").is_some() {
        Value::Null
    } else {
        new.clone()
    }
}

fn member<'a>(place: &'a mut Value, step: &str) -> &'a mut Value {
    if let Value::Array(list) = place {
        let index: usize = step.parse().unwrap_or(list.len());
        if index >= list.len() {
            list.push(Value::Null);
        }
        let last = list.len() - 1;
        return &mut list[index.min(last)];
    }
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    place
        .as_object_mut()
        .expect("was made an object above")
        .entry(step)
        .or_insert(Value::Null)
}

pub(super) fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_is_one_variable_becomes_its_value() {
        let mut variables = Variables::default();
        variables.set("n", json!(3));
        variables.set("who", json!("ann"));
        let filled = variables.fill(&json!({"a": "${n}", "b": "x-${who}-${n}"}));
        assert_eq!(filled, json!({"a": 3, "b": "x-ann-3"}));
    }

    #[test]
    fn changes_set_add_and_remove() {
        let mut body = json!({"a": {"b": 1, "c": [1, 2]}});
        apply(
            &mut body,
            &json!({"/a/b": null, "/a/c/0": 9, "/a/c/-": 3, "/d/e": 1, "/f": {"$null": true}}),
        );
        assert_eq!(
            body,
            json!({"a": {"c": [9, 2, 3]}, "d": {"e": 1}, "f": null})
        );
    }
}
