//! Which annotations are specification (sent, enforced, removed) and which are the member's own.

use std::collections::BTreeMap;

/// The `propagatingAnnotations` of a type. Without a list nothing is propagated, as in KubeFed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationPolicy {
    globs: Vec<String>,
}

/// Annotations by key.
pub type Annotations = BTreeMap<String, String>;

impl AnnotationPolicy {
    /// The policy of a list of globs: `*` stands for any text (also empty, also with slashes), `?` for one character.
    #[must_use]
    pub fn new(globs: &[String]) -> Self {
        Self {
            globs: globs.to_vec(),
        }
    }

    /// True if the key is specification.
    #[must_use]
    pub fn propagates(&self, key: &str) -> bool {
        self.globs
            .iter()
            .any(|glob| matches(glob.as_bytes(), key.as_bytes()))
    }

    /// Keys of the template that are not sent, sorted: what the `AnnotationsNotSupported` event names.
    #[must_use]
    pub fn ignored<'a>(&self, template: &'a Annotations) -> Vec<&'a str> {
        template
            .keys()
            .filter(|key| !self.propagates(key))
            .map(String::as_str)
            .collect()
    }

    /// What a member object must hold: the template's keys that are specification, and of what the member holds
    /// every key that is not. A key of specification that left the template is thereby removed.
    #[must_use]
    pub fn merge(&self, template: &Annotations, observed: &Annotations) -> Annotations {
        let kept = observed.iter().filter(|(key, _)| !self.propagates(key));
        let sent = template.iter().filter(|(key, _)| self.propagates(key));
        kept.chain(sent)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// Glob match in linear space and at most quadratic time: on a mismatch the last star takes one character more.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                g += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    g = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::labels_of;

    #[test]
    fn globs_match_whole_keys() {
        for (glob, key, expected) in [
            (
                "service.beta.kubernetes.io/*",
                "service.beta.kubernetes.io/antcloud-loadbalancer-listener-protocol",
                true,
            ),
            (
                "service.beta.kubernetes.io/*",
                "status.cafe.sofastack.io/loadbalancer",
                false,
            ),
            ("*", "anything/at-all", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.io/x", "koinon.io/x", true),
            ("*.io/x", "koinon.io/xy", false),
            ("a*b*c", "aXbYbZc", true),
            ("", "a", false),
            ("exact", "exact", true),
        ] {
            assert_eq!(
                AnnotationPolicy::new(&[glob.into()]).propagates(key),
                expected,
                "{glob} {key}"
            );
        }
    }

    #[test]
    fn specification_is_enforced_and_status_is_kept() {
        let policy = AnnotationPolicy::new(&["spec/*".into()]);
        let template = labels_of(&[("spec/a", "1"), ("other/x", "from template")]);
        let observed = labels_of(&[
            ("spec/a", "0"),
            ("spec/left", "1"),
            ("other/x", "own"),
            ("status/y", "own"),
        ]);
        assert_eq!(
            policy.merge(&template, &observed),
            labels_of(&[("spec/a", "1"), ("other/x", "own"), ("status/y", "own")])
        );
        assert_eq!(policy.ignored(&template), ["other/x"]);
        let kubefed = AnnotationPolicy::default();
        assert_eq!(kubefed.merge(&template, &observed), observed);
    }
}
