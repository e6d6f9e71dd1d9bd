//! What a member grants the hub with least privilege: RBAC rules.

use anyhow::bail;
use federation_api::kinds::FederatedTypeConfig;
use serde_json::{Value, json};

const VERBS: [&str; 7] = [
    "get", "list", "watch", "create", "update", "patch", "delete",
];

/// Rules that cover the enabled kinds, their namespaces, the health probe, acting as `proxy_as`, and nothing else.
pub(super) fn least_privilege(
    configs: &[FederatedTypeConfig],
    proxy_as: &[String],
) -> anyhow::Result<Value> {
    let mut rules = vec![
        json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": VERBS}),
        json!({"nonResourceURLs": ["/healthz", "/version", "/version/", "/openapi/*"], "verbs": ["get"]}),
    ];
    for config in configs {
        let target = &config.spec.target_type;
        rules.push(json!({
            "apiGroups": [target.group.as_deref().unwrap_or_default()],
            "resources": [target.plural_name],
            "verbs": VERBS,
        }));
    }
    rules.extend(impersonation(proxy_as)?);
    Ok(Value::Array(rules))
}

/// Rules to act as the users and groups that words such as `user:alice`, `group:dev` or `group:*` name. With a user come
/// uids, which cannot be known beforehand. Every group that a request carries must be granted, so a group that is not
/// named keeps its members out.
fn impersonation(words: &[String]) -> anyhow::Result<Vec<Value>> {
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    for word in words {
        match word.split_once(':') {
            Some(("user", name)) if !name.is_empty() => users.push(name),
            Some(("group", name)) if !name.is_empty() => groups.push(name),
            _ => bail!("--proxy-as takes user:NAME or group:NAME, not \"{word}\""),
        }
    }
    let rule = |resource: &str, names: &[&str]| {
        let mut rule =
            json!({"apiGroups": [""], "resources": [resource], "verbs": ["impersonate"]});
        if !names.contains(&"*") {
            rule["resourceNames"] = json!(names);
        }
        rule
    };
    let mut rules = Vec::new();
    if !users.is_empty() {
        rules.push(rule("users", &users));
        rules.push(json!({"apiGroups": ["authentication.k8s.io"], "resources": ["uids"], "verbs": ["impersonate"]}));
    }
    if !groups.is_empty() {
        rules.push(rule("groups", &groups));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_may_act_only_as_those_who_are_named() {
        let words = |all: &[&str]| all.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let rules = impersonation(&words(&[
            "user:alice",
            "user:hub:system:serviceaccount:ci:deploy",
            "group:*",
        ]))
        .unwrap();
        assert_eq!(
            rules[0]["resourceNames"],
            json!(["alice", "hub:system:serviceaccount:ci:deploy"])
        );
        assert_eq!(rules[1]["resources"], json!(["uids"]));
        assert_eq!(rules[2]["resources"], json!(["groups"]));
        assert!(rules[2].get("resourceNames").is_none());
        let none = least_privilege(&[], &[]).unwrap();
        assert!(!none.to_string().contains("impersonate"));
        for bad in ["alice", "user:", "role:x"] {
            assert!(impersonation(&words(&[bad])).is_err(), "{bad}");
        }
    }
}
