//! Label selectors with upstream's semantics and validation.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::federated::LabelSelector;

use crate::field::{FieldError, Path, text};

/// Why a selector cannot be used: the fields that are wrong, at least one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("invalid label selector: {}", list(.0))]
pub struct InvalidSelector(pub Vec<FieldError>);

fn list(errors: &[FieldError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A checked selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<(String, Requirement)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Checks a selector that stands at `path`.
    ///
    /// # Errors
    /// For an unknown operator, missing or surplus values, or keys and values that no label can have.
    pub fn parse(selector: &LabelSelector, path: &Path) -> Result<Self, InvalidSelector> {
        let mut errors = Vec::new();
        let mut requirements = Vec::new();
        let labels_path = path.child("matchLabels");
        for (key, value) in selector.match_labels.iter().flatten() {
            check_key(key, &labels_path, &mut errors);
            check_value(value, &labels_path.key(key), &mut errors);
            requirements.push((
                key.clone(),
                Requirement::In(BTreeSet::from([value.clone()])),
            ));
        }
        let expressions = path.child("matchExpressions");
        for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
            let path = expressions.index(index);
            check_key(&expression.key, &path.child("key"), &mut errors);
            let values: BTreeSet<String> = expression.values.iter().flatten().cloned().collect();
            let values_path = path.child("values");
            for (index, value) in expression.values.iter().flatten().enumerate() {
                check_value(value, &values_path.index(index), &mut errors);
            }
            let requirement = match expression.operator.as_str() {
                "In" | "NotIn" if values.is_empty() => {
                    errors.push(FieldError::new(
                        &values_path,
                        crate::field::ErrorType::Required,
                        None,
                        "must be specified when `operator` is 'In' or 'NotIn'",
                    ));
                    continue;
                }
                "Exists" | "DoesNotExist" if !values.is_empty() => {
                    let detail =
                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    errors.push(FieldError::forbidden(&values_path, detail));
                    continue;
                }
                "In" => Requirement::In(values),
                "NotIn" => Requirement::NotIn(values),
                "Exists" => Requirement::Exists,
                "DoesNotExist" => Requirement::DoesNotExist,
                other => {
                    errors.push(FieldError::invalid(
                        &path.child("operator"),
                        other,
                        "not a valid selector operator",
                    ));
                    continue;
                }
            };
            requirements.push((expression.key.clone(), requirement));
        }
        if errors.is_empty() {
            Ok(Self { requirements })
        } else {
            Err(InvalidSelector(errors))
        }
    }

    /// True if `labels` meet all requirements. `NotIn` holds when the label is absent.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|(key, requirement)| {
            let value = labels.get(key);
            match requirement {
                Requirement::In(values) => value.is_some_and(|value| values.contains(value)),
                Requirement::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Requirement::Exists => value.is_some(),
                Requirement::DoesNotExist => value.is_none(),
            }
        })
    }
}

fn check_key(key: &str, path: &Path, errors: &mut Vec<FieldError>) {
    if let Some(message) = text::qualified_name(key) {
        errors.push(FieldError::invalid(path, key, message));
    }
}

fn check_value(value: &str, path: &Path, errors: &mut Vec<FieldError>) {
    if let Some(message) = text::label_value(value) {
        errors.push(FieldError::invalid(path, value, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(selector: Value) -> Result<Selector, InvalidSelector> {
        Selector::parse(&serde_json::from_value(selector).unwrap(), &Path::new("s"))
    }

    #[test]
    fn operators_mean_what_upstream_means() {
        let labels = BTreeMap::from([("region".to_owned(), "hz".to_owned())]);
        let cases = [
            (json!({}), true),
            (json!({"matchLabels": {}}), true),
            (json!({"matchLabels": {"region": "hz"}}), true),
            (json!({"matchLabels": {"region": "sh"}}), false),
            (
                json!({"matchExpressions": [{"key": "region", "operator": "In", "values": ["sh", "hz"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "region", "operator": "NotIn", "values": ["hz"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["hz"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist", "values": []}]}),
                true,
            ),
            (
                json!({"matchLabels": {"region": "hz"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]}),
                false,
            ),
        ];
        for (selector, expected) in cases {
            assert_eq!(
                parse(selector.clone()).unwrap().matches(&labels),
                expected,
                "{selector}"
            );
        }
    }

    #[test]
    fn what_upstream_refuses_is_refused() {
        let cases = [
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Like"}]}),
                "s.matchExpressions[0].operator",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
                "s.matchExpressions[0].values",
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}),
                "s.matchExpressions[0].values",
            ),
            (json!({"matchLabels": {"a b": "x"}}), "s.matchLabels"),
            (json!({"matchLabels": {"a": "x y"}}), "s.matchLabels[a]"),
        ];
        for (selector, field) in cases {
            assert_eq!(parse(selector).unwrap_err().0[0].field, field);
        }
    }
}
