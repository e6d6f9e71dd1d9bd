//! Syntax of names, label keys and label values, with upstream's explanations.

use std::sync::LazyLock;

use regex::Regex;

use crate::kinds::NameRule;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

const QUALIFIED_TEXT: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn whole(pattern: &str) -> Regex {
    Regex::new(&format!("^(?:{pattern})$")).expect("a constant pattern that the tests compile")
}

fn too_long(text: &str, max: usize) -> Option<String> {
    (text.len() > max).then(|| format!("must be no more than {max} bytes"))
}

fn subdomain(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| whole(SUBDOMAIN));
    let mut problems: Vec<String> = too_long(text, 253).into_iter().collect();
    if !PATTERN.is_match(text) {
        problems.push(format!("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"));
    }
    problems
}

/// What is wrong with an RFC 1123 label.
pub(crate) fn label_problems(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| whole(LABEL));
    let longer = (text.len() > 63).then(|| "must be no more than 63 characters".to_owned());
    let mut problems: Vec<String> = longer.into_iter().collect();
    if !PATTERN.is_match(text) {
        problems.push(format!("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"));
    }
    problems
}

fn label_1035(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_1035));
    let mut problems: Vec<String> = too_long(text, 63).into_iter().collect();
    if !PATTERN.is_match(text) {
        problems.push(format!("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{LABEL_1035}')"));
    }
    problems
}

fn path_segment(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    ['/', '%']
        .into_iter()
        .filter(|c| text.contains(*c))
        .map(|c| format!("may not contain '{c}'"))
        .collect()
}

/// What is wrong with a name under a rule; nothing if it is fine. `prefix`: a trailing dash is allowed, as in
/// `generateName`.
pub(crate) fn name_problems(rule: NameRule, name: &str, prefix: bool) -> Vec<String> {
    let masked;
    let mut text = name;
    if prefix && name.len() > 1 && name.ends_with('-') {
        masked = format!("{}a", &name[..name.len() - 1]);
        text = &masked;
    }
    match rule {
        NameRule::Subdomain => subdomain(text),
        NameRule::Label if text.contains('.') => vec!["must not contain dots".to_owned()],
        NameRule::Label => label_problems(text),
        NameRule::Label1035 => label_1035(text),
        NameRule::PathSegment => path_segment(text),
    }
}

/// What is wrong with a label or annotation key or a finalizer name.
pub(crate) fn qualified_name_problems(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| whole(QUALIFIED));
    let parts: Vec<&str> = text.split('/').collect();
    let mut problems = Vec::new();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(
                    subdomain(prefix)
                        .into_iter()
                        .map(|problem| format!("prefix part {problem}")),
                );
            }
            name
        }
        _ => {
            return vec![format!(
                "a qualified name {QUALIFIED_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if let Some(problem) = too_long(name, 63) {
        problems.push(format!("name part {problem}"));
    }
    if !PATTERN.is_match(name) {
        problems.push(format!("name part {QUALIFIED_TEXT}"));
    }
    problems
}

/// What is wrong with a label value.
pub(crate) fn label_value_problems(text: &str) -> Vec<String> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| whole(LABEL_VALUE));
    let mut problems: Vec<String> = too_long(text, 63).into_iter().collect();
    if !PATTERN.is_match(text) {
        problems.push(format!("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '{LABEL_VALUE}')"));
    }
    problems
}

/// `base` and five characters that are easy to tell apart and spell nothing
/// (`k8s.io/apiserver/pkg/storage/names.SimpleNameGenerator`).
pub(crate) fn generate_name(base: &str, random: u128) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    const SUFFIX: usize = 5;
    const MAX: usize = 63 - SUFFIX;
    let mut end = base.len().min(MAX);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = base[..end].to_owned();
    let mut rest = random;
    for _ in 0..SUFFIX {
        let size = ALPHABET.len() as u128;
        name.push(char::from(ALPHABET[(rest % size) as usize]));
        rest /= size;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_rule() {
        for (rule, good, bad) in [
            (NameRule::Subdomain, "a.b-c.1", "A"),
            (NameRule::Subdomain, "1", "-a"),
            (NameRule::Label, "a-1", "a.b"),
            (NameRule::Label1035, "a-1", "1a"),
            (NameRule::PathSegment, "system:node A", "a/b"),
            (NameRule::PathSegment, "x", ".."),
        ] {
            assert_eq!(name_problems(rule, good, false), Vec::<String>::new());
            assert_eq!(name_problems(rule, bad, false).len(), 1, "{bad}");
        }
        assert!(name_problems(NameRule::Subdomain, "a-", true).is_empty());
        assert_eq!(
            name_problems(NameRule::Subdomain, &"a".repeat(254), false),
            ["must be no more than 253 bytes"]
        );
    }

    #[test]
    fn keys_and_values() {
        assert!(qualified_name_problems("example.com/My_name.1").is_empty());
        for bad in ["", "/a", "a/", "a/b/c", "-a", "A.com/x"] {
            assert!(!qualified_name_problems(bad).is_empty(), "{bad}");
        }
        assert!(label_value_problems("").is_empty());
        assert!(!label_value_problems("a b").is_empty());
    }

    #[test]
    fn generated_names_fit_a_label() {
        assert_eq!(generate_name("pod-", 0), "pod-bbbbb");
        assert_eq!(generate_name(&"x".repeat(80), u128::MAX).len(), 63);
        assert_eq!(generate_name(&"é".repeat(40), 7).chars().count(), 29 + 5);
    }
}
