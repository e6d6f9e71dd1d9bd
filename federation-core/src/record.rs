//! What was last written where: reading and rewriting the `PropagatedVersion` of one federated object.
//!
//! KubeFed drops everything when a hash changes. Here a member keeps its entry until it is written again, as it may be
//! masked out or unreachable for long: what it still runs must stay known.

use std::collections::BTreeMap;

use federation_api::kinds::{ClusterObjectVersion, PropagatedVersionStatus};

use crate::desired::Blueprint;
use crate::member::Member;
use crate::version::{SpecVersion, overrides_version};

/// What was last written to one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Version of the member object right after, see `version::object_version`.
    pub version: String,
    /// What was written, see [`Blueprint::applied`]. `None` if KubeFed wrote it and the specification has changed since.
    pub applied: Option<String>,
}

/// Reads a record: by member, what was last written there. An entry of KubeFed's says only that it was written from the
/// recorded template and overrides; while these are still the current ones, that is what `blueprint` says.
#[must_use]
pub fn read(
    record: Option<&PropagatedVersionStatus>,
    blueprint: &Blueprint<'_>,
    members: &[&Member],
) -> BTreeMap<String, Written> {
    let Some(record) = record else {
        return BTreeMap::new();
    };
    let members: BTreeMap<&str, &Member> = members
        .iter()
        .map(|one| (one.name.as_str(), *one))
        .collect();
    let current = *blueprint.version()
        == SpecVersion {
            template: record.template_version.clone(),
            overrides: record.overrides_version.clone(),
        };
    let no_overrides = record.overrides_version == overrides_version(None);
    let held = record
        .held_versions
        .iter()
        .map(|entry| (entry, entry.applied.clone()));
    let written = record.cluster_versions.iter().map(|entry| {
        let applied =
            entry
                .applied
                .clone()
                .or_else(|| match members.get(entry.cluster_name.as_str()) {
                    Some(member) if current => Some(blueprint.applied(member)),
                    _ => no_overrides.then(|| record.template_version.clone()),
                });
        (entry, applied)
    });
    held.chain(written)
        .map(|(entry, applied)| {
            let written = Written {
                version: entry.version.clone(),
                applied,
            };
            (entry.cluster_name.clone(), written)
        })
        .collect()
}

/// Makes a record: members that run what `blueprint` now says are KubeFed's `clusterVersions`, the rest is held.
/// `applied` tells what a member is to run, `None` for one that is not known any more.
#[must_use]
pub fn make(
    blueprint: &Blueprint<'_>,
    written: &BTreeMap<String, Written>,
    applied: impl Fn(&str) -> Option<String>,
) -> PropagatedVersionStatus {
    let version = blueprint.version();
    let mut record = PropagatedVersionStatus {
        template_version: version.template.clone(),
        overrides_version: version.overrides.clone(),
        ..PropagatedVersionStatus::default()
    };
    for (name, written) in written {
        let entry = ClusterObjectVersion {
            cluster_name: name.clone(),
            version: written.version.clone(),
            applied: written.applied.clone(),
        };
        let is_current = written.applied.is_some() && written.applied == applied(name);
        if is_current {
            record.cluster_versions.push(entry);
        } else {
            record.held_versions.push(entry);
        }
    }
    record
}
