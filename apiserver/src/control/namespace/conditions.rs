//! What the status of a namespace says while it goes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::content::Left;

/// Writes the conditions into a namespace; `false` if they were there already. A condition keeps its
/// `lastTransitionTime` as long as its status stays.
pub(super) fn describe(namespace: &mut Value, left: &Left, now: &str) -> bool {
    let before = namespace["status"]["conditions"].clone();
    let old = |kind: &str| {
        let list = before.as_array();
        list.and_then(|list| list.iter().find(|condition| condition["type"] == kind))
    };
    let conditions: Vec<Value> = wanted(left)
        .into_iter()
        .map(|(kind, status, reason, message)| {
            let since = old(kind)
                .filter(|condition| condition["status"] == status)
                .map_or_else(
                    || now.into(),
                    |condition| condition["lastTransitionTime"].clone(),
                );
            json!({"type": kind, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": since})
        })
        .collect();
    let conditions = Value::Array(conditions);
    if conditions == before {
        return false;
    }
    if !namespace["status"].is_object() {
        namespace["status"] = json!({"phase": "Terminating"});
    }
    namespace["status"]["conditions"] = conditions;
    true
}

type Condition = (&'static str, &'static str, &'static str, String);

fn wanted(left: &Left) -> [Condition; 5] {
    let failure = match &left.error {
        Some(error) => (
            "NamespaceDeletionContentFailure",
            "True",
            "ContentDeletionFailed",
            format!("Failed to delete all resource types, 1 remaining: {error}"),
        ),
        None => (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".to_owned(),
        ),
    };
    let remaining = if left.resources.is_empty() {
        (
            "NamespaceContentRemaining",
            "False",
            "ContentRemoved",
            "All content successfully removed".to_owned(),
        )
    } else {
        let list = listed(&left.resources, |resource, count| {
            // Upstream names the core group too, which is empty.
            let dot = if resource.contains('.') { "" } else { "." };
            format!("{resource}{dot} has {count} resource instances")
        });
        (
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            format!("Some resources are remaining: {list}"),
        )
    };
    let finalizers = if left.finalizers.is_empty() {
        (
            "NamespaceFinalizersRemaining",
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished".to_owned(),
        )
    } else {
        let list = listed(&left.finalizers, |finalizer, count| {
            format!("{finalizer} in {count} resource instances")
        });
        (
            "NamespaceFinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            format!("Some content in the namespace has finalizers remaining: {list}"),
        )
    };
    [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered".to_owned(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
        ),
        failure,
        remaining,
        finalizers,
    ]
}

fn listed(counts: &BTreeMap<String, usize>, text: impl Fn(&str, usize) -> String) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(name, count)| text(name, *count))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_name_what_is_left_and_keep_their_time() {
        let mut namespace = json!({"status": {"phase": "Terminating"}});
        let mut left = Left::default();
        left.resources.insert("configmaps".to_owned(), 2);
        left.finalizers.insert("a/b".to_owned(), 1);
        assert!(describe(&mut namespace, &left, "t1"));
        assert!(!describe(&mut namespace, &left, "t2"));
        let conditions = namespace["status"]["conditions"].clone();
        assert_eq!(
            conditions[3]["message"],
            "Some resources are remaining: configmaps. has 2 resource instances"
        );
        assert_eq!(
            conditions[4]["message"],
            "Some content in the namespace has finalizers remaining: a/b in 1 resource instances"
        );
        left.resources.insert("configmaps".to_owned(), 1);
        left.finalizers.clear();
        assert!(describe(&mut namespace, &left, "t3"));
        let conditions = &namespace["status"]["conditions"];
        assert_eq!(conditions[3]["lastTransitionTime"], "t1");
        assert_eq!(conditions[4]["lastTransitionTime"], "t3");
    }
}
