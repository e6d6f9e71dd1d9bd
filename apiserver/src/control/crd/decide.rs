//! What becomes of one definition, given the names that others hold. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::kinds::custom::{
    AcceptedNames, ClaimedNames, NameConflict, accept_names, condition_is_true,
    remember_storage_version, remove_condition, set_condition, status_mut, text,
};
use crate::object::{is_terminating, meta_str};

/// The outcome for one definition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    /// The names that it holds from now on.
    pub(super) accepted: AcceptedNames,
    /// It waits for a name that another holds.
    pub(super) waits: bool,
    /// It is to be served.
    pub(super) serve: bool,
    /// It was never served before.
    pub(super) fresh: bool,
    /// It is being deleted.
    pub(super) terminating: bool,
    /// The definition with its new status; equal to the old one if nothing changed.
    pub(super) crd: Value,
    /// Changes whenever the row does.
    pub(super) fingerprint: u64,
}

/// Decides about one definition. `now` is RFC 3339.
pub(super) fn decide(crd: &Value, others: &ClaimedNames, now: &str) -> Decision {
    let wanted = AcceptedNames::parse(&crd["spec"]["names"]);
    let held = AcceptedNames::parse(&crd["status"]["acceptedNames"]);
    let established = condition_is_true(crd, "Established");
    let terminating = is_terminating(crd);
    let (accepted, conflict) = accept_names(&wanted, &held, others);
    let serve = established || conflict.is_none();
    let mut new = crd.clone();
    status_mut(&mut new)["acceptedNames"] = accepted.to_value();
    tell_names(&mut new, conflict.as_ref(), now);
    tell_established(&mut new, serve, now);
    tell_rules(&mut new, now);
    tell_approval(&mut new, now);
    remember_storage_version(&mut new);
    if terminating {
        let text = "CustomResource deletion is in progress";
        set_condition(
            &mut new,
            "Terminating",
            true,
            "InstanceDeletionInProgress",
            text,
            now,
        );
    }
    Decision {
        fingerprint: fingerprint(crd, &accepted, terminating),
        waits: conflict.is_some(),
        serve,
        fresh: serve && !established,
        terminating,
        crd: new,
        accepted,
    }
}

fn fingerprint(crd: &Value, accepted: &AcceptedNames, terminating: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    meta_str(crd, "uid").hash(&mut hasher);
    crd["spec"].to_string().hash(&mut hasher);
    accepted.to_value().to_string().hash(&mut hasher);
    terminating.hash(&mut hasher);
    hasher.finish()
}

fn tell_names(crd: &mut Value, conflict: Option<&NameConflict>, now: &str) {
    match conflict {
        None => set_condition(
            crd,
            "NamesAccepted",
            true,
            "NoConflicts",
            "no conflicts found",
            now,
        ),
        Some(conflict) => set_condition(
            crd,
            "NamesAccepted",
            false,
            conflict.reason,
            &conflict.message,
            now,
        ),
    }
}

fn tell_established(crd: &mut Value, serve: bool, now: &str) {
    if serve {
        let text = "the initial names have been accepted";
        set_condition(crd, "Established", true, "InitialNamesAccepted", text, now);
    } else {
        set_condition(
            crd,
            "Established",
            false,
            "NotAccepted",
            "not all names are accepted",
            now,
        );
    }
}

/// Whoever writes rules in CEL must be able to see that nobody looks at them.
fn tell_rules(crd: &mut Value, now: &str) {
    const KIND: &str = "ValidationRulesEvaluated";
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
    let has_rules = versions.is_some_and(|versions| {
        versions
            .iter()
            .any(|version| mentions_rules(&version["schema"]))
    });
    if has_rules {
        let text = "rules in x-kubernetes-validations are stored and shown, but this server does not evaluate them yet";
        set_condition(crd, KIND, false, "NotSupported", text, now);
    } else {
        remove_condition(crd, KIND);
    }
}

fn mentions_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            (key == "x-kubernetes-validations"
                && value.as_array().is_some_and(|list| !list.is_empty()))
                || mentions_rules(value)
        }),
        Value::Array(list) => list.iter().any(mentions_rules),
        _ => false,
    }
}

/// Groups of the Kubernetes community are for approved kinds.
fn tell_approval(crd: &mut Value, now: &str) {
    const KIND: &str = "KubernetesAPIApprovalPolicyConformant";
    let group = text(crd, &["spec", "group"]);
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    if !protected {
        return remove_condition(crd, KIND);
    }
    let approval = text(
        crd,
        &["metadata", "annotations", "api-approved.kubernetes.io"],
    )
    .to_owned();
    let (ok, reason, text) = match approval.as_str() {
        "" => (false, "MissingAnnotation", "protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111".to_owned()),
        text if text.starts_with("unapproved") => (false, "UnapprovedAnnotation", format!("not approved: {text:?}")),
        url => (true, "ApprovedAnnotation", format!("approved in {url}")),
    };
    set_condition(crd, KIND, ok, reason, &text, now);
}
