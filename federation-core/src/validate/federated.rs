//! Rules of federated objects, in the version the user wrote.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::federated::northbound::{TOPOLOGY_CELL, TOPOLOGY_CLUSTER};
use federation_api::federated::southbound::ClusterOverride;
use federation_api::federated::{LabelSelector, TopologyRef};
use federation_api::{annotations, names};
use serde_json::{Value, json};

use super::{Snapshot, Verdict, namespace, text};
use crate::conversion::{Version, convert};
use crate::field::{FieldError, Path};
use crate::overrides::{self, NORTHBOUND_WORDS, SOUTHBOUND_WORDS, Words};
use crate::plan::DeleteOptions;
use crate::selector::Selector;
use crate::tenancy::Tenancy;

/// The words of the version being validated, and what names mean in it.
struct Scope<'a> {
    list: &'static str,
    selector: &'static str,
    words: Words,
    cells: bool,
    namespace: &'a str,
    snapshot: &'a Snapshot<'a>,
}

/// Validates a federated object as written in `version`. Errors: delete options, topology type, template, selectors, overrides (forbidden
/// and repeated paths, repeated names). Warnings: names that are not known or belong to another tenant, a mask or an
/// override that names what the placement lacks. An object that has annotations of conversion must be valid in the other
/// version too: they are written by conversion only, but nobody keeps a user from it.
#[must_use]
pub fn federated(
    object: &Value,
    version: Version,
    namespaced: bool,
    snapshot: &Snapshot<'_>,
) -> Verdict {
    let mut verdict = form(object, version, namespaced, snapshot);
    if verdict.is_allowed() {
        other_form(object, version, namespaced, snapshot, &mut verdict);
    }
    verdict
}

/// Do both objects carry the same annotations of conversion? Then an equal spec is equal in both versions.
#[must_use]
pub fn converts_alike(one: &Value, other: &Value) -> bool {
    CONVERSION_ANNOTATIONS
        .iter()
        .all(|key| one["metadata"]["annotations"][*key] == other["metadata"]["annotations"][*key])
}

const CONVERSION_ANNOTATIONS: [&str; 2] =
    [annotations::CONVERSION_RESIDUE, annotations::TOPOLOGY_TYPE];

/// Validates what the object's annotations make of it in the version it was not written in.
fn other_form(
    object: &Value,
    version: Version,
    namespaced: bool,
    snapshot: &Snapshot<'_>,
    verdict: &mut Verdict,
) {
    let all = &object["metadata"]["annotations"];
    let Some(key) = CONVERSION_ANNOTATIONS
        .into_iter()
        .find(|key| !all[*key].is_null())
    else {
        return;
    };
    let other = version.other();
    let api_version = names::api_version(names::TYPES_GROUP, other.as_str());
    let Ok(converted) = convert(object.clone(), &api_version) else {
        return;
    };
    let field = Path::new("metadata").child("annotations").key(key);
    for error in form(&converted, other, namespaced, snapshot).errors {
        verdict.error(FieldError::invalid(
            &field,
            all[key].clone(),
            format!(
                "makes the {} form of the object invalid: {error}",
                other.as_str()
            ),
        ));
    }
}

fn form(object: &Value, version: Version, namespaced: bool, snapshot: &Snapshot<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let path = Path::new("spec");
    let Some(spec) = object.get("spec").filter(|spec| spec.is_object()) else {
        verdict.error(FieldError::required(&path));
        return verdict;
    };
    delete_option(object, &mut verdict);
    let scope = scope(object, version, snapshot);
    if version == Version::Northbound {
        topology_type(spec, &path, namespaced, &mut verdict);
    }
    if !spec.get("template").is_none_or(Value::is_object) {
        let field = path.child("template");
        verdict.error(FieldError::invalid(
            &field,
            spec["template"].clone(),
            "must be an object",
        ));
    }
    let placed = placement(
        &spec["placement"],
        &path.child("placement"),
        &scope,
        &mut verdict,
    );
    let masked = placement(
        &spec["placementMask"],
        &path.child("placementMask"),
        &scope,
        &mut verdict,
    );
    if let (Some(placed), Some(masked)) = (&placed, &masked) {
        for name in masked.difference(placed) {
            verdict.warn(
                &path.child("placementMask"),
                format_args!(
                    "{name:?} is not in the placement: if it holds the object, that is deleted there"
                ),
            );
        }
    }
    let overridden = check_overrides(
        &spec["overrides"],
        &path.child("overrides"),
        &scope,
        &mut verdict,
    );
    if let Some(placed) = &placed {
        for name in overridden.difference(placed) {
            verdict.warn(
                &path.child("overrides"),
                format_args!("{name:?} is not in the placement"),
            );
        }
    }
    verdict
}

fn scope<'a>(object: &'a Value, version: Version, snapshot: &'a Snapshot<'a>) -> Scope<'a> {
    let namespace = namespace(object);
    match version {
        Version::Northbound => Scope {
            list: "topologies",
            selector: "topologySelector",
            words: NORTHBOUND_WORDS,
            cells: text(&object["spec"], "topologyType") == TOPOLOGY_CELL,
            namespace,
            snapshot,
        },
        Version::Southbound => Scope {
            list: "clusters",
            selector: "clusterSelector",
            words: SOUTHBOUND_WORDS,
            cells: false,
            namespace,
            snapshot,
        },
    }
}

/// A deletion with options that cannot be read would wait for ever.
fn delete_option(object: &Value, verdict: &mut Verdict) {
    let key = annotations::DELETE_OPTION;
    let Some(text) = object["metadata"]["annotations"][key].as_str() else {
        return;
    };
    if let Err(error) = DeleteOptions::parse(text) {
        let field = Path::new("metadata").child("annotations").key(key);
        verdict.error(FieldError::invalid(&field, text, error));
    }
}

fn topology_type(spec: &Value, path: &Path, namespaced: bool, verdict: &mut Verdict) {
    let field = path.child("topologyType");
    match &spec["topologyType"] {
        Value::Null => {}
        Value::String(word) if word == TOPOLOGY_CELL && !namespaced => {
            verdict.error(FieldError::invalid(
                &field,
                word.as_str(),
                "a cluster-scoped object can only use topologyType cluster",
            ));
        }
        Value::String(word) => verdict.word(word, &field, &[TOPOLOGY_CELL, TOPOLOGY_CLUSTER]),
        other => verdict.error(FieldError::invalid(
            &field,
            other.clone(),
            "must be a string",
        )),
    }
}

/// Checks a placement or mask. Returns the names it lists, `None` if it lists none because it goes by selector or is absent.
fn placement(
    value: &Value,
    path: &Path,
    scope: &Scope<'_>,
    verdict: &mut Verdict,
) -> Option<BTreeSet<String>> {
    if value.is_null() {
        return None;
    }
    if !value[scope.selector].is_null() {
        let field = path.child(scope.selector);
        match serde_json::from_value::<LabelSelector>(value[scope.selector].clone()) {
            Ok(selector) => {
                if let Err(error) = Selector::parse(&selector, &field) {
                    verdict.errors.extend(error.0);
                }
            }
            Err(error) => verdict.error(FieldError::invalid(
                &field,
                value[scope.selector].clone(),
                error.to_string(),
            )),
        }
    }
    let field = path.child(scope.list);
    let list = match serde_json::from_value::<Option<Vec<TopologyRef>>>(value[scope.list].clone()) {
        Ok(list) => list?,
        Err(error) => {
            verdict.error(FieldError::invalid(
                &field,
                value[scope.list].clone(),
                error.to_string(),
            ));
            return None;
        }
    };
    for (index, item) in list.iter().enumerate() {
        known(
            &item.name,
            &field.index(index).child("name"),
            scope,
            verdict,
        );
    }
    Some(list.into_iter().map(|item| item.name).collect())
}

/// Warns about a name that selects nothing. That another tenant's cell or cluster exists is not told.
fn known(name: &str, path: &Path, scope: &Scope<'_>, verdict: &mut Verdict) {
    let (kind, full) = match (scope.cells, name.strip_prefix('/')) {
        (true, None) => ("cell", names::cell_cluster(name, scope.namespace)),
        (true, Some(cluster)) => ("cluster", cluster.to_owned()),
        (false, _) => ("cluster", name.to_owned()),
    };
    let none = BTreeMap::new();
    let own = scope
        .snapshot
        .namespace_labels
        .map(|labels| Tenancy::from_labels(labels).within(scope.namespace));
    let registered = scope.snapshot.clusters.iter().any(|cluster| {
        let labels = cluster.metadata.labels.as_ref().unwrap_or(&none);
        cluster.metadata.name.as_deref() == Some(full.as_str())
            && own.as_ref().is_none_or(|own| own.reaches(labels))
    });
    // A cell may be so new that its derived cluster is not there yet.
    let is_cell = scope.snapshot.cells.iter().any(|cell| {
        let name = cell.metadata.name.as_deref().unwrap_or_default();
        cell.metadata.namespace.as_deref() == Some(scope.namespace)
            && names::cell_cluster(name, scope.namespace) == full
    });
    if !registered && !is_cell {
        verdict.warn(
            path,
            format_args!("{kind} {name:?} is not known here, so nothing is placed there"),
        );
    }
}

/// Checks the overrides; returns the names they are for.
fn check_overrides(
    value: &Value,
    path: &Path,
    scope: &Scope<'_>,
    verdict: &mut Verdict,
) -> BTreeSet<String> {
    let Some(items) = value.as_array() else {
        if !value.is_null() {
            verdict.error(FieldError::invalid(path, value.clone(), "must be a list"));
        }
        return BTreeSet::new();
    };
    let southbound = items
        .iter()
        .map(|item| json!({"clusterName": item[scope.words.name].as_str().unwrap_or_default(), "clusterOverrides": item[scope.words.steps]}))
        .collect();
    match serde_json::from_value::<Vec<ClusterOverride>>(southbound) {
        Ok(list) => {
            if let Err(error) = overrides::check(&list, path, scope.words) {
                verdict.errors.extend(error.0);
            }
            list.into_iter().map(|item| item.cluster_name).collect()
        }
        Err(error) => {
            verdict.error(FieldError::invalid(path, value.clone(), error.to_string()));
            BTreeSet::new()
        }
    }
}
