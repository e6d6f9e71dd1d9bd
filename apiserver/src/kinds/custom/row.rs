//! A CRD as a row of the table.

use std::sync::Arc;

use serde_json::Value;

use super::definition::{list, text};
use super::names::AcceptedNames;
use crate::kinds::{
    Cell, Column, CustomResource, Kind, KindVersion, Origin, ScalePaths, Scope, SelectableField,
    compare_versions,
};
use crate::object::meta_str;
use crate::request::Verb;
use crate::schema::{Schema, SchemaError};

/// Why a CRD cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A version's schema cannot be understood.
    #[error("spec.versions[{0}].schema.openAPIV3Schema")]
    Schema(usize, #[source] SchemaError),
    /// No version is marked as the stored one.
    #[error("no version is marked as storage version")]
    NoStorage,
}

const VERBS: &[Verb] = &[
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Get,
    Verb::List,
    Verb::Patch,
    Verb::Create,
    Verb::Update,
    Verb::Watch,
];

/// What is left while a CRD is deleted.
const TERMINATING: &[Verb] = &[
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Get,
    Verb::List,
    Verb::Watch,
];

/// The row of a CRD under the names given. `terminating` leaves only reading and deleting. `epoch` must be new for every
/// row that differs from an earlier one of the same resource.
///
/// # Errors
/// [`RowError`] for a CRD that admission should not have let pass.
pub fn custom_row(
    crd: &Value,
    names: &AcceptedNames,
    terminating: bool,
    epoch: u64,
) -> Result<Kind, RowError> {
    let group = text(crd, &["spec", "group"]);
    let mut versions = Vec::new();
    for (index, version) in list(crd, &["spec", "versions"]).iter().enumerate() {
        let storage = version["storage"] == true;
        versions.push((
            storage,
            kind_version(crd, version, &names.kind)
                .map_err(|error| RowError::Schema(index, error))?,
        ));
    }
    versions.sort_by(|(_, a), (_, b)| compare_versions(&a.name, &b.name));
    let storage = versions
        .iter()
        .position(|(storage, _)| *storage)
        .ok_or(RowError::NoStorage)?;
    Ok(Kind {
        group: group.into(),
        kind: names.kind.as_str().into(),
        list_kind: names.list_kind.as_str().into(),
        plural: names.plural.as_str().into(),
        singular: names.singular.as_str().into(),
        short_names: names.short_names.clone(),
        categories: names.categories.clone(),
        scope: if text(crd, &["spec", "scope"]) == "Cluster" {
            Scope::Cluster
        } else {
            Scope::Namespaced
        },
        verbs: if terminating { TERMINATING } else { VERBS }.to_vec(),
        versions: versions.into_iter().map(|(_, version)| version).collect(),
        storage,
        origin: Origin::Custom {
            crd_uid: meta_str(crd, "uid").to_owned(),
            conversion: crd.pointer("/spec/conversion").cloned().unwrap_or_default(),
        },
        strategy: Arc::new(CustomResource),
        resource: format!("{group}/{}", names.plural).into(),
        epoch,
    })
}

/// The version to use instead of a deprecated one: the newest that is served, not deprecated, and newer.
fn successor<'a>(crd: &'a Value, name: &str) -> Option<&'a str> {
    list(crd, &["spec", "versions"])
        .iter()
        .filter(|version| version["served"] == true && version["deprecated"] != true)
        .map(|version| text(version, &["name"]))
        .filter(|other| compare_versions(other, name).is_lt())
        .min_by(|a, b| compare_versions(a, b))
}

fn kind_version(crd: &Value, version: &Value, kind: &str) -> Result<KindVersion, SchemaError> {
    let group = text(crd, &["spec", "group"]);
    let name = text(version, &["name"]);
    let schema = match version.pointer("/schema/openAPIV3Schema") {
        Some(schema) if !schema.is_null() => Schema::from_crd(schema)?,
        _ => Schema::preserving(),
    };
    let warning = || match text(version, &["deprecationWarning"]) {
        "" => {
            let instead = successor(crd, name)
                .map(|newer| format!("; use {group}/{newer} {kind}"))
                .unwrap_or_default();
            format!("{group}/{name} {kind} is deprecated{instead}")
        }
        own => own.to_owned(),
    };
    let scale = version
        .pointer("/subresources/scale")
        .filter(|scale| scale.is_object());
    Ok(KindVersion {
        name: name.into(),
        served: version["served"] == true,
        deprecation: (version["deprecated"] == true).then(warning),
        schema: Arc::new(schema),
        columns: columns(list(version, &["additionalPrinterColumns"])),
        status: version
            .pointer("/subresources/status")
            .is_some_and(Value::is_object),
        scale: scale.map(|scale| ScalePaths {
            spec_replicas: text(scale, &["specReplicasPath"]).to_owned(),
            status_replicas: text(scale, &["statusReplicasPath"]).to_owned(),
            label_selector: text(scale, &["labelSelectorPath"]).to_owned(),
        }),
        selectable: list(version, &["selectableFields"])
            .iter()
            .map(|field| {
                let path = text(field, &["jsonPath"]);
                SelectableField {
                    label: path.trim_start_matches('.').to_owned(),
                    path: path.to_owned(),
                }
            })
            .collect(),
    })
}

/// The printer columns, with the name before what the CRD says; none if it says nothing.
fn columns(declared: &[Value]) -> Vec<Column> {
    if declared.is_empty() {
        return Vec::new();
    }
    let name = Column {
        name: "Name".to_owned(),
        column_type: "string".to_owned(),
        format: "name".to_owned(),
        description: "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names".to_owned(),
        priority: 0,
        cell: Cell::Path(".metadata.name".to_owned()),
    };
    let own = declared.iter().map(|column| Column {
        name: text(column, &["name"]).to_owned(),
        column_type: text(column, &["type"]).to_owned(),
        format: text(column, &["format"]).to_owned(),
        description: match text(column, &["description"]) {
            "" => format!(
                "Custom resource definition column (in JSONPath format): {}",
                text(column, &["jsonPath"])
            ),
            own => own.to_owned(),
        },
        priority: column["priority"]
            .as_i64()
            .and_then(|p| i32::try_from(p).ok())
            .unwrap_or(0),
        cell: Cell::Path(text(column, &["jsonPath"]).to_owned()),
    });
    std::iter::once(name).chain(own).collect()
}
