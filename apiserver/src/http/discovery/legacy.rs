//! The documents before aggregated discovery: one for the groups, one for each group, one for each group version.

use base64::Engine;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::order::{GroupVersions, group_versions, rows, subresources, verbs};
use crate::http::ExtensionResource;
use crate::kinds::{Kind, KindVersion, Kinds};
use crate::request::Verb;

/// `/api`: the versions of the core group.
pub(super) fn api_versions(kinds: &Kinds, server_address: &str) -> Value {
    let versions = group_versions(kinds)
        .into_iter()
        .find(|group| group.group.is_empty());
    let versions: Vec<String> = versions
        .map(|group| group.versions.iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    json!({
        "kind": "APIVersions",
        "versions": versions,
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    })
}

/// `/apis`: all groups but the core group.
pub(super) fn group_list(kinds: &Kinds) -> Value {
    let groups: Vec<Value> = group_versions(kinds)
        .iter()
        .filter(|group| !group.group.is_empty())
        .map(group_entry)
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/<group>`; `None` if nothing is served there.
pub(super) fn group(kinds: &Kinds, name: &str) -> Option<Value> {
    let groups = group_versions(kinds);
    let group = groups
        .iter()
        .find(|group| !name.is_empty() && &*group.group == name)?;
    let mut entry = group_entry(group);
    entry["kind"] = "APIGroup".into();
    entry["apiVersion"] = "v1".into();
    Some(entry)
}

fn group_entry(group: &GroupVersions) -> Value {
    let versions: Vec<Value> = group
        .versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{}/{version}", group.group), "version": &**version}))
        .collect();
    json!({"name": &*group.group, "preferredVersion": versions.first(), "versions": versions})
}

/// `/api/v1` and `/apis/<group>/<version>`; `None` if nothing is served there.
pub(super) fn resource_list(
    kinds: &Kinds,
    extras: &[ExtensionResource],
    group: &str,
    version: &str,
) -> Option<Value> {
    let mut resources: Vec<Value> = rows(kinds, group, version)
        .flat_map(|(row, version)| resources(row, version))
        .collect();
    if resources.is_empty() {
        return None;
    }
    let extras = extras
        .iter()
        .filter(|e| (e.group, e.version) == (group, version));
    resources.extend(extras.map(|extra| {
        json!({
            "name": format!("{}/{}", extra.resource, extra.subresource),
            "singularName": "",
            "namespaced": extra.namespaced,
            "kind": extra.kind,
            "verbs": extra.verbs,
        })
    }));
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}),
    )
}

fn resources(row: &Kind, version: &KindVersion) -> Vec<Value> {
    let mut own = json!({
        "name": &*row.plural,
        "singularName": &*row.singular,
        "namespaced": row.namespaced(),
        "kind": &*row.kind,
        "verbs": verbs(row),
    });
    // Reviews are not stored.
    if row.verbs != [Verb::Create] {
        own["storageVersionHash"] = storage_version_hash(row).into();
    }
    if !row.short_names.is_empty() {
        own["shortNames"] = json!(row.short_names);
    }
    if !row.categories.is_empty() {
        own["categories"] = json!(row.categories);
    }
    let below = subresources(row, version).into_iter().map(|sub| {
        let mut out = json!({
            "name": format!("{}/{}", row.plural, sub.name),
            "singularName": "",
            "namespaced": row.namespaced(),
            "kind": if sub.scale { "Scale" } else { &*row.kind },
            "verbs": sub.verbs,
        });
        if sub.scale {
            out["group"] = "autoscaling".into();
            out["version"] = "v1".into();
        }
        out
    });
    std::iter::once(own).chain(below).collect()
}

/// What storage migrators compare: upstream's `discovery.StorageVersionHash`.
fn storage_version_hash(row: &Kind) -> String {
    let stored = &row.storage_version().name;
    let digest = Sha256::digest(format!("{}/{stored}/{}", row.group, row.kind));
    base64::engine::general_purpose::STANDARD.encode(&digest[..8])
}
