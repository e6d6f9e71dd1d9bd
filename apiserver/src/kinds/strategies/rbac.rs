//! Roles and bindings.

use serde_json::Value;

use super::at::{At, Findings};
use super::immutable;
use crate::kinds::{NameRule, Strategy, StrategyContext};
use crate::status::FieldError;
use crate::verbs::name_problems;

const GROUP: &str = "rbac.authorization.k8s.io";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rbac {
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
}

impl Strategy for Rbac {
    fn prepare_create(&self, object: &mut Value, _context: &StrategyContext<'_>) {
        fill(object);
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, _context: &StrategyContext<'_>) {
        fill(object);
    }

    fn validate(
        &self,
        object: &Value,
        old: Option<&Value>,
        _context: &StrategyContext<'_>,
    ) -> Vec<FieldError> {
        let mut out = Vec::new();
        match self {
            Self::Role | Self::ClusterRole => {
                for rule in At::top(object, "rules").items() {
                    self.rule(&rule, &mut out);
                }
                let aggregation = At::top(object, "aggregationRule");
                let selectors = aggregation.field("clusterRoleSelectors");
                if aggregation.is_set() && selectors.is_empty() {
                    out.push(selectors.required(
                        "at least one clusterRoleSelector required if aggregationRule is non-nil",
                    ));
                }
            }
            Self::RoleBinding | Self::ClusterRoleBinding => {
                self.reference(&At::top(object, "roleRef"), &mut out);
                for subject in At::top(object, "subjects").items() {
                    self::subject(&subject, *self == Self::ClusterRoleBinding, &mut out);
                }
                let change = immutable(object, old, "/roleRef", "roleRef");
                out.extend(change.map(|error| FieldError {
                    detail: "cannot change roleRef".to_owned(),
                    ..error
                }));
            }
        }
        out
    }

    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn tracks_generation(&self) -> bool {
        false
    }

    fn judges_alone(&self) -> bool {
        true
    }
}

impl Rbac {
    fn rule(self, rule: &At<'_>, out: &mut Findings) {
        let (groups, resources) = (rule.field("apiGroups"), rule.field("resources"));
        if rule.field("verbs").is_empty() {
            out.push(
                rule.field("verbs")
                    .required("verbs must contain at least one value"),
            );
        }
        let paths = rule.field("nonResourceURLs");
        if !paths.is_empty() {
            if self == Self::Role {
                out.push(paths.invalid("namespaced rules cannot apply to non-resource URLs"));
            }
            let mixed = [&groups, &resources, &rule.field("resourceNames")]
                .iter()
                .any(|list| !list.is_empty());
            if mixed {
                out.push(
                    paths.invalid(
                        "rules cannot apply to both regular resources and non-resource URLs",
                    ),
                );
            }
            return;
        }
        if groups.is_empty() {
            out.push(groups.required("resource rules must supply at least one api group"));
        }
        if resources.is_empty() {
            out.push(resources.required("resource rules must supply at least one resource"));
        }
    }

    fn reference(self, reference: &At<'_>, out: &mut Findings) {
        let group = reference.field("apiGroup");
        if group.text() != GROUP {
            out.push(group.unsupported(&[GROUP]));
        }
        let kinds: &[&str] = match self {
            Self::RoleBinding => &["Role", "ClusterRole"],
            _ => &["ClusterRole"],
        };
        reference.field("kind").one_of(kinds, out);
        path_name(&reference.field("name"), out);
    }
}

fn path_name(name: &At<'_>, out: &mut Findings) {
    if name.text().is_empty() {
        out.push(name.required(""));
    } else {
        let problems = name_problems(NameRule::PathSegment, name.text(), false);
        out.extend(problems.into_iter().map(|problem| name.invalid(problem)));
    }
}

/// `in_cluster`: the binding is of the whole cluster, so that an account needs its namespace.
fn subject(subject: &At<'_>, in_cluster: bool, out: &mut Findings) {
    let (name, group) = (subject.field("name"), subject.field("apiGroup"));
    if name.text().is_empty() {
        out.push(name.required(""));
    }
    match subject.field("kind").text() {
        "ServiceAccount" => {
            name.name(NameRule::Subdomain, out);
            if !group.text().is_empty() {
                out.push(group.unsupported(&[""]));
            }
            let namespace = subject.field("namespace");
            if in_cluster && namespace.text().is_empty() {
                out.push(namespace.required(""));
            }
        }
        "User" | "Group" => {
            if group.text() != GROUP {
                out.push(group.unsupported(&[GROUP]));
            }
        }
        _ => out.push(
            subject
                .field("kind")
                .unsupported(&["ServiceAccount", "User", "Group"]),
        ),
    }
}

/// The API groups that references may leave out.
fn fill(object: &mut Value) {
    for list in ["rules", "subjects"] {
        // Upstream writes a role without rules with an explicit null; readers take both for none.
        if object.get(list).is_some_and(Value::is_null) {
            object.as_object_mut().map(|fields| fields.remove(list));
        }
    }
    if let Some(fields) = object.as_object_mut()
        && matches!(
            fields.get("kind").and_then(Value::as_str),
            Some("RoleBinding" | "ClusterRoleBinding")
        )
    {
        let role = fields.entry("roleRef").or_insert(Value::Null);
        if role.is_null() {
            *role = serde_json::json!({});
        }
        if let Some(role) = role.as_object_mut() {
            fill_group(role);
        }
    }
    let subjects = object.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if matches!(
            subject.get("kind").and_then(Value::as_str),
            Some("User" | "Group")
        ) {
            fill_group(subject);
        }
    }
}

/// An empty group is as good as none: typed clients send it so.
fn fill_group(reference: &mut serde_json::Map<String, Value>) {
    if reference.get("apiGroup").is_some_and(|group| group == "") {
        reference.remove("apiGroup");
    }
    super::default(reference, "apiGroup", GROUP);
}
