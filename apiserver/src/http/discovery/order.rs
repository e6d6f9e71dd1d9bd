//! The order of groups and versions.

use std::sync::Arc;

use crate::kinds::{Kind, KindVersion, Kinds, compare_versions};

/// Upstream's groups by their priority; groups that are not here follow by name.
const PRIORITY: &[&str] = &[
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
];

/// A group with its served versions, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupVersions {
    pub(crate) group: Arc<str>,
    pub(crate) versions: Vec<Arc<str>>,
}

/// All groups that serve something, in the order of discovery.
pub(crate) fn group_versions(kinds: &Kinds) -> Vec<GroupVersions> {
    let mut groups: Vec<GroupVersions> = Vec::new();
    for row in kinds.iter() {
        let names = row
            .versions
            .iter()
            .filter(|version| version.served)
            .map(|version| version.name.clone());
        match groups.last_mut().filter(|last| last.group == row.group) {
            Some(last) => last.versions.extend(names),
            None => groups.push(GroupVersions {
                group: row.group.clone(),
                versions: names.collect(),
            }),
        }
    }
    for group in &mut groups {
        group.versions.sort_by(|a, b| compare_versions(a, b));
        group.versions.dedup();
    }
    groups.retain(|group| !group.versions.is_empty());
    let rank = |group: &str| {
        PRIORITY
            .iter()
            .position(|known| *known == group)
            .unwrap_or(PRIORITY.len())
    };
    groups.sort_by(|a, b| {
        rank(&a.group)
            .cmp(&rank(&b.group))
            .then_with(|| a.group.cmp(&b.group))
    });
    groups
}

/// The rows that serve a version of a group, in order of their resource.
pub(super) fn rows<'a>(
    kinds: &'a Kinds,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = (&'a Arc<Kind>, &'a KindVersion)> {
    kinds
        .iter()
        .filter(move |row| &*row.group == group)
        .filter_map(move |row| Some((row, row.version(version)?)))
}

/// A subresource: its name, the verbs on it, and the group, version and kind of what it answers if not the row's own.
pub(super) struct Subresource {
    pub(super) name: &'static str,
    pub(super) verbs: &'static [&'static str],
    pub(super) scale: bool,
}

/// What is served below the objects of a row.
pub(super) fn subresources(row: &Kind, version: &KindVersion) -> Vec<Subresource> {
    let mut out = Vec::new();
    let mut add = |name, verbs, scale| out.push(Subresource { name, verbs, scale });
    if row.group.is_empty() && &*row.plural == "namespaces" {
        add("finalize", &["update"][..], false);
    }
    if version.scale.is_some() {
        add("scale", &["get", "patch", "update"], true);
    }
    if version.status {
        add("status", &["get", "patch", "update"], false);
    }
    out
}

/// The verbs of a row as discovery lists them: sorted.
pub(super) fn verbs(row: &Kind) -> Vec<&'static str> {
    let mut verbs: Vec<_> = row.verbs.iter().map(|verb| verb.as_str()).collect();
    verbs.sort_unstable();
    verbs
}
