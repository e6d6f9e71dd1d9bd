//! The rows of the built-in kinds, from the generated table and what is decided here: selectable fields, scale paths.

use std::sync::Arc;

use serde::Deserialize;

use super::custom::CrdStrategy;
use super::kind::{
    Column, Kind, KindVersion, Origin, ScalePaths, Scope, SelectableField, Strategy,
};
use crate::request::Verb;
use crate::schema::{Schema, builtin_type};

/// One kind a line, sorted by group and resource. See `xtask`'s generator `builtin`.
static TABLE: &str = include_str!("../../data/builtin/kinds.jsonl");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    group: Arc<str>,
    version: Arc<str>,
    kind: Arc<str>,
    plural: Arc<str>,
    singular: Arc<str>,
    namespaced: bool,
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    subresources: Vec<String>,
    #[serde(rename = "type")]
    type_name: String,
}

/// What a built-in row gets besides the table's data, by group and resource.
#[derive(Clone, Copy)]
pub struct BuiltinHooks {
    /// Its strategy. Not asked for CRDs, which have their own.
    pub strategy: fn(group: &str, plural: &str) -> Arc<dyn Strategy>,
    /// Its printer columns; none means `NAME` and `AGE`.
    pub columns: fn(group: &str, plural: &str) -> Vec<Column>,
}

/// The rows of all built-in kinds. `events.k8s.io/v1` and core `v1` events are two views of the objects of one store resource.
pub fn builtin_rows(hooks: BuiltinHooks) -> Vec<Arc<Kind>> {
    TABLE
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let row: Row = serde_json::from_str(line).ok()?;
            Some(Arc::new(kind(row, hooks, index as u64 + 1)))
        })
        .collect()
}

fn kind(row: Row, hooks: BuiltinHooks, epoch: u64) -> Kind {
    let has = |name: &str| row.subresources.iter().any(|s| s == name);
    let version = KindVersion {
        name: row.version.clone(),
        served: true,
        deprecation: deprecation(&row.group, &row.plural),
        schema: Arc::new(
            builtin_type(&row.type_name).map_or_else(Schema::preserving, Clone::clone),
        ),
        columns: (hooks.columns)(&row.group, &row.plural),
        status: has("status"),
        scale: has("scale").then(scale_paths),
        selectable: selectable(&row.group, &row.plural),
    };
    let store_group = match (&*row.group, &*row.plural) {
        ("events.k8s.io", "events") => "",
        (group, _) => group,
    };
    Kind {
        list_kind: format!("{}List", row.kind).into(),
        resource: format!("{store_group}/{}", row.plural).into(),
        strategy: strategy(&row, hooks),
        scope: if row.namespaced {
            Scope::Namespaced
        } else {
            Scope::Cluster
        },
        verbs: row
            .verbs
            .iter()
            .filter_map(|verb| Verb::parse(verb))
            .collect(),
        group: row.group,
        kind: row.kind,
        plural: row.plural,
        singular: row.singular,
        short_names: row.short_names,
        categories: row.categories,
        versions: vec![version],
        storage: 0,
        origin: Origin::Builtin,
        epoch,
    }
}

fn strategy(row: &Row, hooks: BuiltinHooks) -> Arc<dyn Strategy> {
    if &*row.plural == "customresourcedefinitions" {
        return Arc::new(CrdStrategy);
    }
    (hooks.strategy)(&row.group, &row.plural)
}

/// The paths of every built-in kind with a `/scale`. The selector is a LabelSelector object (a plain map for
/// replication controllers), not a string as custom kinds have it.
fn scale_paths() -> ScalePaths {
    ScalePaths {
        spec_replicas: ".spec.replicas".to_owned(),
        status_replicas: ".status.replicas".to_owned(),
        label_selector: ".spec.selector".to_owned(),
    }
}

fn deprecation(group: &str, plural: &str) -> Option<String> {
    match (group, plural) {
        ("", "endpoints") => Some(
            "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
                .to_owned(),
        ),
        _ => None,
    }
}

/// The field labels that upstream's conversion functions accept, besides name and namespace. The paths are those of the
/// stored form: events are stored as core `v1`.
fn selectable(group: &str, plural: &str) -> Vec<SelectableField> {
    let labels: &[(&str, &str)] = match (group, plural) {
        ("", "pods") => &[
            ("spec.nodeName", ""),
            ("spec.restartPolicy", ""),
            ("spec.schedulerName", ""),
            ("spec.serviceAccountName", ""),
            ("spec.hostNetwork", ""),
            ("status.phase", ""),
            ("status.podIP", ""),
            ("status.nominatedNodeName", ""),
        ],
        ("", "events") => &[
            ("involvedObject.kind", ""),
            ("involvedObject.namespace", ""),
            ("involvedObject.name", ""),
            ("involvedObject.uid", ""),
            ("involvedObject.apiVersion", ""),
            ("involvedObject.resourceVersion", ""),
            ("involvedObject.fieldPath", ""),
            ("reason", ""),
            ("reportingComponent", ""),
            ("source", ".source.component"),
            ("type", ""),
        ],
        ("events.k8s.io", "events") => &[
            ("regarding.kind", ".involvedObject.kind"),
            ("regarding.namespace", ".involvedObject.namespace"),
            ("regarding.name", ".involvedObject.name"),
            ("regarding.uid", ".involvedObject.uid"),
            ("regarding.apiVersion", ".involvedObject.apiVersion"),
            (
                "regarding.resourceVersion",
                ".involvedObject.resourceVersion",
            ),
            ("regarding.fieldPath", ".involvedObject.fieldPath"),
            ("reason", ""),
            ("reportingController", ".reportingComponent"),
            ("type", ""),
        ],
        ("", "secrets") => &[("type", "")],
        ("", "namespaces") => &[("status.phase", "")],
        ("", "nodes") => &[("spec.unschedulable", "")],
        ("", "replicationcontrollers") | ("apps", "replicasets") => &[("status.replicas", "")],
        ("", "services") => &[("spec.clusterIP", ""), ("spec.type", "")],
        ("batch", "jobs") => &[("status.successful", ".status.succeeded")],
        _ => &[],
    };
    labels
        .iter()
        .map(|(label, path)| SelectableField {
            label: (*label).to_owned(),
            path: if path.is_empty() {
                format!(".{label}")
            } else {
                (*path).to_owned()
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{Kinds, Plain};

    fn rows() -> Vec<Arc<Kind>> {
        builtin_rows(BuiltinHooks {
            strategy: |_, _| Arc::new(Plain),
            columns: |_, _| Vec::new(),
        })
    }

    #[test]
    fn the_table_has_what_clients_expect() {
        let kinds = Kinds::new(rows());
        assert_eq!(kinds.iter().count(), TABLE.lines().count());
        let deployments = kinds.resource("apps", "deployments").unwrap();
        assert_eq!(&*deployments.kind, "Deployment");
        assert_eq!(&*deployments.singular, "deployment");
        assert_eq!(deployments.short_names, ["deploy"]);
        assert_eq!(deployments.categories, ["all"]);
        assert_eq!(deployments.verbs.len(), 8);
        let version = deployments.version("v1").unwrap();
        assert!(version.status && version.scale.is_some());
        let containers = ["spec", "template", "spec", "containers"];
        let list = containers
            .iter()
            .fold(&*version.schema, |s, name| s.property(name).unwrap());
        assert_eq!(list.patch_merge_key(), Some("name"));
        assert!(list.patch_strategy().merge);
        assert_eq!(
            &*kinds.resource("events.k8s.io", "events").unwrap().resource,
            "/events"
        );
        assert!(
            kinds
                .resource("", "namespaces")
                .is_some_and(|k| !k.namespaced())
        );
    }
}
