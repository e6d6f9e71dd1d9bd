//! Rules of Cell.

use serde_json::Value;

use federation_api::names;

use super::{Snapshot, Verdict, name, namespace, text};
use crate::field::{FieldError, Path, text as rules};

/// Validates a Cell; `old` is the stored one on an update. Two cells of one cluster cannot share a member namespace:
/// the error names the other. A cluster that is not registered (yet) is a warning.
#[must_use]
pub fn cell(object: &Value, old: Option<&Value>, snapshot: &Snapshot<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    if let (false, Some(message)) = (name(object).is_empty(), rules::dns1123_label(name(object))) {
        verdict.error(FieldError::invalid(
            &Path::new("metadata").child("name"),
            name(object),
            message,
        ));
    }
    let path = Path::new("spec");
    let spec = &object["spec"];
    let cluster_path = path.child("clusterRef");
    verdict.name(
        &spec["clusterRef"],
        &cluster_path,
        "name",
        rules::dns1123_label,
    );
    let cluster = text(&spec["clusterRef"], "name");
    let member_path = path.child("memberNamespace");
    let member_namespace = member_namespace(object);
    if let Some(message) = rules::dns1123_label(&member_namespace) {
        verdict.error(FieldError::invalid(
            &member_path,
            member_namespace.as_str(),
            message,
        ));
    }
    if names::SYSTEM_NAMESPACES.contains(&member_namespace.as_str())
        || member_namespace == names::SYSTEM_NAMESPACE
    {
        verdict.error(FieldError::invalid(
            &member_path,
            member_namespace.as_str(),
            "is a system namespace",
        ));
    }
    if let Some(old) = old {
        verdict.immutable(
            &cluster_path.child("name"),
            &spec["clusterRef"]["name"],
            &old["spec"]["clusterRef"]["name"],
        );
        let (new, old) = (
            Value::from(member_namespace.as_str()),
            Value::from(self::member_namespace(old)),
        );
        verdict.immutable(&member_path, &new, &old);
    }
    let taken = snapshot.cells.iter().find(|other| {
        let same = other.metadata.name.as_deref() == Some(name(object))
            && other.metadata.namespace.as_deref() == Some(namespace(object));
        !same
            && other.spec.cluster_ref.name == cluster
            && other.member_namespace() == member_namespace
    });
    if let Some(other) = taken {
        let owner = other.derived_cluster_name();
        let (cell, space) = names::split_cell_cluster(&owner).unwrap_or((&owner, ""));
        let detail = format!(
            "cell {cell:?} of namespace {space:?} has this namespace in cluster {cluster:?}"
        );
        verdict.error(FieldError::invalid(
            &member_path,
            member_namespace.as_str(),
            detail,
        ));
    }
    let known = snapshot
        .clusters
        .iter()
        .any(|one| one.metadata.name.as_deref() == Some(cluster));
    if !cluster.is_empty() && !known {
        verdict.warn(
            &cluster_path.child("name"),
            format_args!("cluster {cluster:?} is not registered"),
        );
    }
    verdict
}

fn member_namespace(object: &Value) -> String {
    match text(&object["spec"], "memberNamespace") {
        "" => names::default_member_namespace(namespace(object), name(object)),
        set => set.to_owned(),
    }
}
