//! A place in an object with its path, and the findings that upstream's validation words in one way for all kinds.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::kinds::NameRule;
use crate::status::{FieldError, FieldErrorKind};
use crate::verbs::{label_problems, label_value_problems, name_problems, qualified_name_problems};

static NOTHING: Value = Value::Null;

/// What is wrong, in the order in which it was found.
pub(super) type Findings = Vec<FieldError>;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    pub(super) value: &'a Value,
    pub(super) path: String,
}

impl<'a> At<'a> {
    /// A top-level field of an object.
    pub(super) fn top(object: &'a Value, field: &str) -> Self {
        Self {
            value: object.get(field).unwrap_or(&NOTHING),
            path: field.to_owned(),
        }
    }

    pub(super) fn field(&self, name: &str) -> Self {
        Self {
            value: self.value.get(name).unwrap_or(&NOTHING),
            path: format!("{}.{name}", self.path),
        }
    }

    /// The field at the end of a path of fields.
    pub(super) fn down(&self, names: &[&str]) -> Self {
        names.iter().fold(self.clone(), |at, name| at.field(name))
    }

    pub(super) fn key(&self, key: &str) -> Self {
        Self {
            value: self.value.get(key).unwrap_or(&NOTHING),
            path: format!("{}[{key}]", self.path),
        }
    }

    /// The members of a list; none if it is no list.
    pub(super) fn items(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        let path = self.path.clone();
        let list = self.value.as_array().into_iter().flatten();
        list.enumerate().map(move |(index, value)| At {
            value,
            path: format!("{path}[{index}]"),
        })
    }

    /// The fields of a map, each at `path[key]`.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + use<'a> {
        let path = self.path.clone();
        let map = self.value.as_object().into_iter().flatten();
        map.map(move |(key, value)| {
            let path = format!("{path}[{key}]");
            (key.as_str(), At { value, path })
        })
    }

    /// The text; empty if it is none.
    pub(super) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    pub(super) fn number(&self) -> Option<i64> {
        self.value.as_i64()
    }

    pub(super) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Is nothing there that Go would not leave out: no text, list or map with something in it?
    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        }
    }

    pub(super) fn required(&self, detail: impl Into<String>) -> FieldError {
        FieldError::required(&*self.path, detail)
    }

    pub(super) fn forbidden(&self, detail: impl Into<String>) -> FieldError {
        FieldError::forbidden(&*self.path, detail)
    }

    pub(super) fn invalid(&self, detail: impl Into<String>) -> FieldError {
        FieldError::invalid(&*self.path, self.value, detail)
    }

    /// A finding that prints another value than the one that stands here.
    pub(super) fn invalid_value(&self, value: &Value, detail: impl Into<String>) -> FieldError {
        FieldError::invalid(&*self.path, value, detail)
    }

    pub(super) fn duplicate(&self, value: &Value) -> FieldError {
        FieldError::new(
            FieldErrorKind::Duplicate,
            &*self.path,
            value.to_string(),
            "",
        )
    }

    pub(super) fn not_found(&self) -> FieldError {
        let value = Value::from(self.text()).to_string();
        FieldError::new(FieldErrorKind::NotFound, &*self.path, value, "")
    }

    pub(super) fn unsupported(&self, allowed: &[&str]) -> FieldError {
        let words: Vec<String> = allowed.iter().map(|word| format!("{word:?}")).collect();
        let value = match self.value {
            Value::Null => Value::from("").to_string(),
            other => other.to_string(),
        };
        let detail = format!("supported values: {}", words.join(", "));
        FieldError::new(FieldErrorKind::NotSupported, &*self.path, value, detail)
    }

    /// One of some words; the empty one counts as a word.
    pub(super) fn one_of(&self, allowed: &[&str], out: &mut Findings) {
        if !allowed.contains(&self.text()) {
            out.push(self.unsupported(allowed));
        }
    }

    /// One of some words, if there is any.
    pub(super) fn one_of_if_set(&self, allowed: &[&str], out: &mut Findings) {
        if self.is_set() {
            self.one_of(allowed, out);
        }
    }

    /// A number that is not below zero, if there is any.
    pub(super) fn not_negative(&self, out: &mut Findings) {
        if self.number().is_some_and(|number| number < 0) {
            out.push(self.invalid("must be greater than or equal to 0"));
        }
    }

    /// A number of a range, if there is any.
    pub(super) fn within(&self, least: i64, most: i64, out: &mut Findings) {
        if self.number().is_some_and(|n| !(least..=most).contains(&n)) {
            let detail = format!("must be between {least} and {most}, inclusive");
            out.push(self.invalid(detail));
        }
    }

    /// A port's number or name, 0 if there is none.
    pub(super) fn port(&self, out: &mut Findings) {
        match self.value {
            Value::String(name) => out.extend(port_name_problems(name).map(|p| self.invalid(p))),
            Value::Null => out.push(
                self.invalid_value(&Value::from(0), "must be between 1 and 65535, inclusive"),
            ),
            _ => self.within(1, 65535, out),
        }
    }

    /// A name under a rule, if there is any.
    pub(super) fn name(&self, rule: NameRule, out: &mut Findings) {
        if self.text().is_empty() {
            return;
        }
        let problems = match rule {
            NameRule::Label => label_problems(self.text()),
            _ => name_problems(rule, self.text(), false),
        };
        out.extend(problems.into_iter().map(|problem| self.invalid(problem)));
    }

    /// A name that must be there.
    pub(super) fn needed_name(&self, rule: NameRule, out: &mut Findings) {
        if self.text().is_empty() {
            out.push(self.required(""));
        }
        self.name(rule, out);
    }

    /// A key such as a label has.
    pub(super) fn qualified(&self, out: &mut Findings) {
        let problems = qualified_name_problems(self.text());
        let value = Value::from(self.text());
        out.extend(problems.into_iter().map(|p| self.invalid_value(&value, p)));
    }

    /// Labels; findings about keys and values stand at the map.
    pub(super) fn labels(&self, out: &mut Findings) {
        for (key, value) in self.value.as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let keys = qualified_name_problems(key).into_iter();
            out.extend(keys.map(|p| self.invalid_value(&key.as_str().into(), p)));
            let values = label_value_problems(text).into_iter();
            out.extend(values.map(|p| self.invalid_value(&text.into(), p)));
        }
    }

    /// A `metav1.LabelSelector`.
    pub(super) fn label_selector(&self, out: &mut Findings) {
        for expression in self.field("matchExpressions").items() {
            let (operator, values) = (expression.field("operator"), expression.field("values"));
            match operator.text() {
                "In" | "NotIn" if values.is_empty() => out
                    .push(values.required("must be specified when `operator` is 'In' or 'NotIn'")),
                "Exists" | "DoesNotExist" if !values.is_empty() => out.push(values.forbidden(
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                )),
                "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
                other => {
                    out.push(operator.invalid_value(&other.into(), "not a valid selector operator"))
                }
            }
            let key = expression.field("key");
            let problems = qualified_name_problems(key.text());
            let value = Value::from(key.text());
            out.extend(problems.into_iter().map(|p| key.invalid_value(&value, p)));
        }
        self.field("matchLabels").labels(out);
    }

    /// An IP address.
    pub(super) fn ip(&self, out: &mut Findings) {
        if self.text().parse::<IpAddr>().is_err() {
            let value = Value::from(self.text());
            out.push(self.invalid_value(
                &value,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            ));
        }
    }

    /// A block of addresses.
    pub(super) fn cidr(&self, out: &mut Findings) {
        let fits = self.text().split_once('/').is_some_and(|(ip, bits)| {
            let most = match ip.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => 32,
                Ok(IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            bits.parse::<u8>().is_ok_and(|bits| bits <= most)
        });
        if !fits {
            let value = Value::from(self.text());
            out.push(self.invalid_value(
                &value,
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ));
        }
    }

    /// A number or a percentage, not below zero.
    pub(super) fn amount(&self, out: &mut Findings) {
        match self.value {
            Value::String(text) if percent(text).is_none() => out.push(self.invalid(
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            )),
            Value::String(_) => {}
            _ => self.not_negative(out),
        }
    }
}

/// `50%` is 50.
pub(super) fn percent(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('%')?;
    let fits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// What is wrong with a port's name (IANA service name).
pub(super) fn port_name_problems(name: &str) -> impl Iterator<Item = &'static str> + use<> {
    let bytes = name.as_bytes();
    let all = [
        (bytes.len() > 15, "must be no more than 15 characters"),
        (
            !bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-'),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (
            !bytes.iter().any(u8::is_ascii_lowercase),
            "must contain at least one letter (a-z)",
        ),
        (name.contains("--"), "must not contain consecutive hyphens"),
        (
            name.starts_with('-') || name.ends_with('-'),
            "must not begin or end with a hyphen",
        ),
    ];
    all.into_iter()
        .filter_map(|(wrong, text)| wrong.then_some(text))
}

/// Finds members of a list that have the same name, and says so at the name.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    /// Notes a name; a finding if it is taken.
    pub(super) fn take(&mut self, at: &At<'_>, out: &mut Findings) {
        if !self.0.insert(at.text().to_owned()) {
            out.push(at.duplicate(at.value));
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}
