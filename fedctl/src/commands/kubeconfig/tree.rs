//! A kubeconfig as a tree of values, so that what others wrote in it stays as it is. Pure.

use serde_json::{Value, json};

use super::targets::Target;

/// Below the hub's address: the cluster proxy.
const PROXY: &str = "/apis/koinon.io/v1alpha1/clusters/";

/// The hub as a kubeconfig names it.
#[derive(Clone)]
pub(super) struct HubEntries {
    /// Name of its context.
    pub(super) context: String,
    /// Namespace of that context.
    pub(super) namespace: Option<String>,
    /// Name of its cluster.
    pub(super) cluster_name: String,
    /// Its address, without a slash at the end.
    pub(super) server: String,
    /// Its cluster: address, CA and whatever else.
    pub(super) cluster: Value,
    /// Name of its user.
    pub(super) user_name: String,
    /// Its user: credentials.
    pub(super) user: Value,
}

/// A kubeconfig with contexts for the hub and all targets, and the names of these contexts, the hub's first. Entries that
/// were made for this hub before are replaced or, if nothing is behind them any more, taken away. Entries of others stay; where
/// one has a name that is needed, ours gets the hub's name in front of it.
pub(super) fn merge(mut base: Value, hub: &HubEntries, found: &[Target]) -> (Value, Vec<String>) {
    for field in ["clusters", "users", "contexts"] {
        if !base[field].is_array() {
            base[field] = json!([]);
        }
    }
    forget(&mut base, hub);
    let user = free(&base, "users", &hub.user_name, hub);
    put(&mut base, "users", &user, "user", hub.user.clone());
    let hub_cluster = free(&base, "clusters", &hub.cluster_name, hub);
    put(
        &mut base,
        "clusters",
        &hub_cluster,
        "cluster",
        hub.cluster.clone(),
    );
    let mut names = vec![context(
        &mut base,
        hub,
        &hub.context,
        &hub_cluster,
        &user,
        hub.namespace.as_deref(),
    )];
    for target in found {
        let mut cluster = hub.cluster.clone();
        cluster["server"] = format!("{}{PROXY}{}/proxy", hub.server, target.cluster).into();
        let entry = format!("{}/{}", hub.cluster_name, target.cluster);
        put(&mut base, "clusters", &entry, "cluster", cluster);
        let namespace = target.namespace.as_deref();
        names.push(context(
            &mut base,
            hub,
            &target.context,
            &entry,
            &user,
            namespace,
        ));
    }
    if base["current-context"]
        .as_str()
        .unwrap_or_default()
        .is_empty()
    {
        base["current-context"] = names[0].clone().into();
    }
    (base, names)
}

/// Takes away what leads to the hub, and users whom nothing else needs.
fn forget(base: &mut Value, hub: &HubEntries) {
    let below = format!("{}{PROXY}", hub.server);
    let ours: Vec<Value> = entries(base, "clusters")
        .filter(|entry| {
            let server = entry["cluster"]["server"].as_str().unwrap_or_default();
            server.trim_end_matches('/') == hub.server || server.starts_with(&below)
        })
        .map(|entry| entry["name"].clone())
        .collect();
    let users: Vec<Value> = entries(base, "contexts")
        .filter(|entry| ours.contains(&entry["context"]["cluster"]))
        .map(|entry| entry["context"]["user"].clone())
        .collect();
    retain(base, "contexts", |entry| {
        !ours.contains(&entry["context"]["cluster"])
    });
    retain(base, "clusters", |entry| !ours.contains(&entry["name"]));
    let needed: Vec<Value> = entries(base, "contexts")
        .map(|entry| entry["context"]["user"].clone())
        .collect();
    retain(base, "users", |entry| {
        !users.contains(&entry["name"]) || needed.contains(&entry["name"])
    });
}

fn context(
    base: &mut Value,
    hub: &HubEntries,
    wanted: &str,
    cluster: &str,
    user: &str,
    namespace: Option<&str>,
) -> String {
    let name = free(base, "contexts", wanted, hub);
    let mut context = json!({"cluster": cluster, "user": user});
    if let Some(namespace) = namespace {
        context["namespace"] = namespace.into();
    }
    put(base, "contexts", &name, "context", context);
    name
}

/// The name, or, if somebody else's entry has it, the name with the hub's in front.
fn free(base: &Value, field: &str, wanted: &str, hub: &HubEntries) -> String {
    if entries(base, field).any(|entry| entry["name"] == wanted) {
        format!("{}/{wanted}", hub.cluster_name)
    } else {
        wanted.to_owned()
    }
}

fn put(base: &mut Value, field: &str, name: &str, inner: &str, value: Value) {
    retain(base, field, |entry| entry["name"] != name);
    if let Some(list) = base[field].as_array_mut() {
        list.push(json!({"name": name, inner: value}));
    }
}

fn entries<'a>(base: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    base[field].as_array().into_iter().flatten()
}

fn retain(base: &mut Value, field: &str, keep: impl Fn(&Value) -> bool) {
    if let Some(list) = base[field].as_array_mut() {
        list.retain(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> HubEntries {
        HubEntries {
            context: "koinon".to_owned(),
            namespace: None,
            cluster_name: "koinon".to_owned(),
            server: "https://hub:6443".to_owned(),
            cluster: json!({"server": "https://hub:6443/", "certificate-authority-data": "Y2E="}),
            user_name: "kubernetes-admin".to_owned(),
            user: json!({"token": "t2"}),
        }
    }

    fn cell(name: &str) -> Target {
        Target {
            context: name.to_owned(),
            cluster: format!("{name}.bank"),
            namespace: Some(format!("bank-{name}")),
        }
    }

    fn names<'a>(tree: &'a Value, field: &str) -> Vec<&'a str> {
        entries(tree, field)
            .filter_map(|entry| entry["name"].as_str())
            .collect()
    }

    #[test]
    fn a_context_leads_through_the_hub_into_the_cells_namespace() {
        let (tree, contexts) = merge(json!({}), &hub(), &[cell("rz00a")]);
        assert_eq!(contexts, ["koinon", "rz00a"]);
        assert_eq!(tree["current-context"], "koinon");
        assert_eq!(
            tree["contexts"][1],
            json!({"name": "rz00a", "context": {"cluster": "koinon/rz00a.bank", "user": "kubernetes-admin", "namespace": "bank-rz00a"}})
        );
        assert_eq!(
            tree["clusters"][1]["cluster"],
            json!({"server": "https://hub:6443/apis/koinon.io/v1alpha1/clusters/rz00a.bank/proxy", "certificate-authority-data": "Y2E="})
        );
    }

    #[test]
    fn others_entries_stay_and_keep_their_names() {
        let theirs = json!({
            "apiVersion": "v1", "kind": "Config", "preferences": {"colors": true}, "current-context": "rz00a",
            "clusters": [{"name": "koinon", "cluster": {"server": "https://other"}}],
            "users": [{"name": "kubernetes-admin", "user": {"token": "theirs"}}],
            "contexts": [{"name": "rz00a", "context": {"cluster": "koinon", "user": "kubernetes-admin"}}],
        });
        let (tree, contexts) = merge(theirs.clone(), &hub(), &[cell("rz00a"), cell("rz00b")]);
        assert_eq!(contexts, ["koinon", "koinon/rz00a", "rz00b"]);
        for field in ["clusters", "users", "contexts"] {
            assert_eq!(tree[field][0], theirs[field][0], "{field}");
        }
        assert_eq!(tree["current-context"], "rz00a");
        assert_eq!(tree["preferences"], theirs["preferences"]);
        assert_eq!(
            names(&tree, "users"),
            ["kubernetes-admin", "koinon/kubernetes-admin"]
        );
        assert_eq!(
            names(&tree, "clusters"),
            [
                "koinon",
                "koinon/koinon",
                "koinon/rz00a.bank",
                "koinon/rz00b.bank"
            ]
        );
    }

    #[test]
    fn doing_it_again_changes_only_what_changed() {
        let (first, _) = merge(json!({}), &hub(), &[cell("rz00a"), cell("rz00b")]);
        let (again, _) = merge(first.clone(), &hub(), &[cell("rz00a"), cell("rz00b")]);
        assert_eq!(first, again);
        let renewed = HubEntries {
            user: json!({"token": "t3"}),
            ..hub()
        };
        let (later, contexts) = merge(first, &renewed, &[cell("rz00b")]);
        assert_eq!(contexts, ["koinon", "rz00b"]);
        assert_eq!(names(&later, "clusters"), ["koinon", "koinon/rz00b.bank"]);
        assert_eq!(
            later["users"],
            json!([{"name": "kubernetes-admin", "user": {"token": "t3"}}])
        );
    }
}
