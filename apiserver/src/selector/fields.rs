//! Field selectors: `metadata.name=a,spec.nodeName!=b` (`k8s.io/apimachinery/pkg/fields`).

use crate::kinds::{Kind, KindVersion};
use crate::object::Obj;

use super::pick::pick;

/// What an absent field compares as, for the selectable fields of built-in kinds whose Go type has another zero value
/// than the empty string.
const ZEROS: [(&str, &str); 4] = [
    ("spec.hostNetwork", "false"),
    ("spec.unschedulable", "false"),
    ("status.replicas", "0"),
    ("status.successful", "0"),
];

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTerm {
    /// The field label, such as `metadata.name`.
    pub label: String,
    /// Must it be equal (or else differ)?
    pub equal: bool,
    /// What it is compared with.
    pub value: String,
    /// Path of the field in the object; unused for `metadata.name` and `metadata.namespace`.
    path: Vec<String>,
}

/// All terms must hold; none selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// The terms.
    pub terms: Vec<FieldTerm>,
}

impl FieldSelector {
    /// Reads the text form; an empty text selects everything. Labels are not judged yet: see [`FieldSelector::resolve`].
    ///
    /// # Errors
    /// What is wrong, in upstream's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in split(text) {
            if part.is_empty() {
                continue;
            }
            let bad = || format!("invalid selector: '{text}'; can't understand '{part}'");
            let (label, equal, value) = term(&part).ok_or_else(bad)?;
            terms.push(FieldTerm {
                label: label.to_owned(),
                equal,
                value: unescape(value)?,
                path: Vec::new(),
            });
        }
        Ok(Self { terms })
    }

    /// Checks that the kind can be selected by the labels, and finds their paths.
    ///
    /// # Errors
    /// What is wrong, in the words of upstream's field label conversion.
    pub fn resolve(mut self, kind: &Kind, version: &KindVersion) -> Result<Self, String> {
        for term in &mut self.terms {
            let label = term.label.as_str();
            if label == "metadata.name" || (label == "metadata.namespace" && knows_namespace(kind))
            {
                continue;
            }
            let field = version.selectable.iter().find(|f| f.label == label);
            let Some(field) = field else {
                return Err(unknown(kind, version, label));
            };
            let path = field.path.trim_start_matches('.').split('.');
            term.path = path.map(str::to_owned).collect();
        }
        Ok(self)
    }

    /// Is the object selected? `bytes` is the form of it that field paths refer to.
    pub fn matches(&self, object: &Obj, bytes: &[u8]) -> bool {
        self.terms.iter().all(|term| {
            let equal = match term.label.as_str() {
                "metadata.name" => *object.key.name == *term.value,
                "metadata.namespace" => *object.key.namespace == *term.value,
                label => match pick(bytes, &term.path) {
                    Some(value) => value == term.value,
                    None => term.value == zero(label),
                },
            };
            equal == term.equal
        })
    }

    /// The name that the selector asks for with `metadata.name=…`, if it does.
    pub fn exact_name(&self) -> Option<&str> {
        let mut terms = self.terms.iter();
        let term = terms.find(|t| t.equal && t.label == "metadata.name")?;
        Some(&term.value)
    }

    /// Adds `metadata.name=<name>`.
    pub fn require_name(&mut self, name: &str) {
        self.terms.push(FieldTerm {
            label: "metadata.name".to_owned(),
            equal: true,
            value: name.to_owned(),
            path: Vec::new(),
        });
    }

    /// Does it select everything?
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Does it look at anything but the object's name and namespace?
    pub fn looks_inside(&self) -> bool {
        self.terms.iter().any(|term| !term.path.is_empty())
    }
}

/// Custom resources of cluster scope do not know the label; built-in ones do, by their shared conversion.
fn knows_namespace(kind: &Kind) -> bool {
    kind.namespaced() || !kind.is_custom()
}

fn unknown(kind: &Kind, version: &KindVersion, label: &str) -> String {
    if !kind.is_custom() && version.selectable.is_empty() {
        format!(
            "{label:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )
    } else {
        format!("field label not supported: {label}")
    }
}

fn zero(label: &str) -> &'static str {
    let known = ZEROS.iter().find(|(name, _)| *name == label);
    known.map_or("", |(_, zero)| zero)
}

/// Splits at commas that are not escaped.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        let last = parts.last_mut().expect("there is always one");
        match c {
            _ if escaped => {
                escaped = false;
                last.push(c);
            }
            '\\' => {
                escaped = true;
                last.push(c);
            }
            ',' => parts.push(String::new()),
            _ => last.push(c),
        }
    }
    parts
}

/// The first of `!=`, `==`, `=` divides a term.
fn term(part: &str) -> Option<(&str, bool, &str)> {
    let at = part.find(['=', '!'])?;
    let (label, rest) = part.split_at(at);
    if let Some(value) = rest.strip_prefix("!=") {
        return Some((label, false, value));
    }
    let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
    Some((label, true, value))
}

fn unescape(value: &str) -> Result<String, String> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next @ ('\\' | ',' | '=')) => out.push(next),
                Some(next) => {
                    return Err(format!(
                        "invalid field selector: invalid escape sequence: \\{next}"
                    ));
                }
                None => {
                    return Err("invalid field selector: invalid escape sequence: \\".to_owned());
                }
            },
            ',' | '=' => {
                return Err(format!(
                    "invalid field selector: unescaped character in value: {c}"
                ));
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_with_their_escapes() {
        let parsed = FieldSelector::parse(r"a=b,c!=d\,e,f==g\=h,").unwrap();
        let terms: Vec<_> = parsed
            .terms
            .iter()
            .map(|t| (t.label.as_str(), t.equal, t.value.as_str()))
            .collect();
        assert_eq!(
            terms,
            [("a", true, "b"), ("c", false, "d,e"), ("f", true, "g=h")]
        );
        assert!(FieldSelector::parse("").unwrap().is_empty());
        assert_eq!(
            FieldSelector::parse("a").unwrap_err(),
            "invalid selector: 'a'; can't understand 'a'"
        );
        assert!(FieldSelector::parse("a=b=c").is_err());
        assert!(FieldSelector::parse(r"a=\x").is_err());
    }
}
