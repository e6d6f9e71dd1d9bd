//! `APIGroupDiscoveryList`: everything in two documents (KEP-3352).

use serde_json::{Value, json};

use super::order::{GroupVersions, group_versions, rows, subresources, verbs};
use crate::http::ExtensionResource;
use crate::kinds::{Kind, KindVersion, Kinds, Scope};

/// The versions of the document; their content is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AggregatedVersion {
    /// Since 1.30.
    V2,
    /// Since 1.26.
    V2Beta1,
}

impl AggregatedVersion {
    /// The version's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2Beta1 => "v2beta1",
        }
    }
}

/// The document at `/api` (`core`: only the core group) or `/apis` (all the others).
pub(crate) fn aggregated(
    kinds: &Kinds,
    extras: &[ExtensionResource],
    core: bool,
    version: AggregatedVersion,
) -> Value {
    let groups = group_versions(kinds);
    let items: Vec<Value> = groups
        .iter()
        .filter(|group| group.group.is_empty() == core)
        .map(|group| item(kinds, extras, group))
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{}", version.as_str()),
        "metadata": {},
        "items": items,
    })
}

fn item(kinds: &Kinds, extras: &[ExtensionResource], group: &GroupVersions) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| {
            let here = |e: &&ExtensionResource| e.group == &*group.group && e.version == &**version;
            let resources: Vec<Value> = rows(kinds, &group.group, version)
                .map(|(row, version)| resource(row, version))
                .chain(extras.iter().filter(here).map(orphan))
                .collect();
            json!({"version": &**version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    let mut metadata = json!({});
    if !group.group.is_empty() {
        metadata["name"] = (&*group.group).into();
    }
    json!({"metadata": metadata, "versions": versions})
}

/// A subresource whose resource is no kind: the resource has no verbs and no kind, as upstream's `services/proxy` would
/// without Services. Clients take the subresource and leave the resource out.
fn orphan(extra: &ExtensionResource) -> Value {
    let kind = json!({"group": extra.group, "version": extra.version, "kind": extra.kind});
    json!({
        "resource": extra.resource,
        "responseKind": {"group": "", "version": "", "kind": ""},
        "scope": if extra.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": "",
        "verbs": [],
        "subresources": [{"subresource": extra.subresource, "responseKind": kind, "verbs": extra.verbs}],
    })
}

fn resource(row: &Kind, version: &KindVersion) -> Value {
    let own = json!({"group": &*row.group, "version": &*version.name, "kind": &*row.kind});
    let mut out = json!({
        "resource": &*row.plural,
        "responseKind": own,
        "scope": if row.scope == Scope::Namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": &*row.singular,
        "verbs": verbs(row),
    });
    if !row.short_names.is_empty() {
        out["shortNames"] = json!(row.short_names);
    }
    if !row.categories.is_empty() {
        out["categories"] = json!(row.categories);
    }
    let below: Vec<Value> = subresources(row, version)
        .into_iter()
        .map(|sub| {
            let kind = if sub.scale {
                json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})
            } else {
                own.clone()
            };
            json!({"subresource": sub.name, "responseKind": kind, "verbs": sub.verbs})
        })
        .collect();
    if !below.is_empty() {
        out["subresources"] = below.into();
    }
    out
}
