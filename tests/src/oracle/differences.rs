//! What differs on purpose, each with its reason: `tests/oracle/differences.yaml`, and the page made of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::compare::Finding;

/// One deliberate difference.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// A short name.
    pub id: String,
    /// What differs, for readers.
    pub what: String,
    /// Why it does.
    pub why: String,
    /// Where the difference may be found; nowhere else is it excused.
    pub scope: Vec<Scope>,
    /// It is in nearly every answer: an exchange that has no other counts as agreeing.
    #[serde(default)]
    pub pervasive: bool,
}

/// A place of a difference. In the patterns `*` stands for anything but a slash, `**` for anything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Script and step, as in `discovery: the groups`; the script alone means all its steps; none means everywhere.
    #[serde(default, rename = "in")]
    pub exchange: Option<String>,
    /// Place in the answer, as in `body/metadata/managedFields`.
    pub at: String,
    /// What upstream says there, as a regular expression of the JSON; `absent` if nothing.
    #[serde(default)]
    pub upstream: Option<String>,
    /// What we say there.
    #[serde(default)]
    pub ours: Option<String>,
}

/// The list, and which of it a run has met.
#[derive(Debug)]
pub struct Differences {
    all: Vec<Difference>,
    compiled: Vec<(usize, Matcher)>,
}

#[derive(Debug)]
struct Matcher {
    exchange: Option<Regex>,
    at: Regex,
    upstream: Option<Regex>,
    ours: Option<Regex>,
}

impl Differences {
    /// Reads the list.
    ///
    /// # Panics
    /// It is not one.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let all: Vec<Difference> = serde_saphyr::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let compiled = all.iter().enumerate().flat_map(|(index, difference)| {
            difference
                .scope
                .iter()
                .map(move |scope| (index, Matcher::new(scope)))
        });
        Self {
            compiled: compiled.collect(),
            all,
        }
    }

    /// The difference that excuses a finding of an exchange, `<script>: <step>`, and the number of the scope that says so.
    #[must_use]
    pub fn excuse(&self, exchange: &str, finding: &Finding) -> Option<(&Difference, usize)> {
        self.compiled
            .iter()
            .enumerate()
            .find(|(_, (_, matcher))| matcher.matches(exchange, finding))
            .map(|(scope, (index, _))| (&self.all[*index], scope))
    }

    /// The scopes that no finding needed, in words.
    #[must_use]
    pub fn stale(&self, met: &BTreeSet<usize>) -> Vec<String> {
        self.compiled
            .iter()
            .enumerate()
            .filter(|(scope, _)| !met.contains(scope))
            .map(|(_, (index, matcher))| {
                let exchange = matcher.exchange.as_ref().map_or("", Regex::as_str);
                format!("{}: {exchange} {}", self.all[*index].id, matcher.at)
            })
            .collect()
    }

    /// The page for readers.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::from(HEAD);
        for difference in &self.all {
            let (what, why) = (difference.what.trim(), difference.why.trim());
            page.push_str(&format!(
                "## {}\n\n{what}\n\n*Why:* {why}\n\n",
                difference.id
            ));
        }
        page.truncate(page.trim_end().len());
        page.push('\n');
        page
    }
}

const HEAD: &str = "\
# Where our API server differs from upstream's

<!-- Generated from tests/oracle/differences.yaml: KOINON_BLESS=1 cargo test -p federation-tests --test oracle page -->

The oracle (`tests/oracle`) plays the same requests against upstream's kube-apiserver 1.35 and against ours, and compares the
answers. What it finds different is listed here, each with its reason; anything else fails the test, and so does an entry that no
longer holds.

";

impl Matcher {
    fn new(scope: &Scope) -> Self {
        let value = |text: &Option<String>| {
            text.as_ref()
                .map(|text| Regex::new(text).expect("a regular expression"))
        };
        Self {
            exchange: scope.exchange.as_deref().map(|pattern| {
                let steps = if pattern.contains(": ") { "" } else { ": **" };
                glob(&format!("{pattern}{steps}"))
            }),
            at: glob(&scope.at),
            upstream: value(&scope.upstream),
            ours: value(&scope.ours),
        }
    }

    fn matches(&self, exchange: &str, finding: &Finding) -> bool {
        let says = |pattern: &Option<Regex>, value: &Option<Value>| {
            pattern.as_ref().is_none_or(|pattern| {
                let text = value.as_ref().map_or("absent".to_owned(), Value::to_string);
                pattern.is_match(&text)
            })
        };
        self.at.is_match(&finding.at)
            && self
                .exchange
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(exchange))
            && says(&self.upstream, &finding.upstream)
            && says(&self.ours, &finding.ours)
    }
}

/// A pattern in which `*` stands for anything but a slash and `**` for anything.
fn glob(pattern: &str) -> Regex {
    let escaped = regex::escape(pattern)
        .replace(r"\*\*", ".*")
        .replace(r"\*", "[^/]*");
    Regex::new(&format!("^(?s:{escaped})$")).expect("an escaped pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_excused_only_where_it_is_listed() {
        let scope = |exchange: Option<&str>, at: &str, ours: Option<&str>| {
            Matcher::new(&Scope {
                exchange: exchange.map(str::to_owned),
                at: at.to_owned(),
                upstream: None,
                ours: ours.map(str::to_owned),
            })
        };
        let finding = Finding {
            at: "body/items/[a]/metadata/managedFields".to_owned(),
            upstream: Some(1.into()),
            ours: None,
        };
        let fits = |matcher: Matcher| matcher.matches("lists: all", &finding);
        assert!(fits(scope(None, "body/**/managedFields", Some("^absent$"))));
        assert!(fits(scope(Some("lists"), "**", None)));
        assert!(!fits(scope(Some("list"), "**", None)));
        assert!(!fits(scope(None, "body/*/managedFields", None)));
        assert!(!fits(scope(None, "**", Some("^1$"))));
    }
}
