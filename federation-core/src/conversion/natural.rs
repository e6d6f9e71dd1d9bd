//! The field-by-field translation, total but not always lossless.

use federation_api::federated::northbound::{TOPOLOGY_CELL, TOPOLOGY_CLUSTER};
use federation_api::{annotations, labels, names};
use serde_json::{Map, Value};

use super::Version;

/// Key pairs (v1, v1beta1) that swap inside a placement or a mask.
const PLACEMENT_KEYS: [(&str, &str); 2] = [
    ("topologies", "clusters"),
    ("topologySelector", "clusterSelector"),
];
/// Key pairs that swap inside an item of `spec.overrides`.
const OVERRIDE_KEYS: [(&str, &str); 2] = [
    ("topologyName", "clusterName"),
    ("topologyOverrides", "clusterOverrides"),
];
/// Key pair that swaps inside `status`.
const STATUS_KEYS: [(&str, &str); 1] = [("topologies", "clusters")];

/// Translates `object` to `target`. Total; ill-shaped parts stay as they are.
pub(super) fn natural(object: &Value, target: Version) -> Value {
    let mut object = object.clone();
    translate_api_version(&mut object, target);
    let topology = translate_topology_type(&mut object, target);
    let namespace = object
        .pointer("/metadata/namespace")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let names = Names {
        cells: topology.as_deref() == Some(TOPOLOGY_CELL),
        namespace,
        target,
    };
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        for key in ["placement", "placementMask"] {
            if let Some(placement) = spec.get_mut(key).and_then(Value::as_object_mut) {
                names.translate_placement(placement);
            }
        }
        for item in items(spec.get_mut("overrides")) {
            swap_keys(item, &OVERRIDE_KEYS);
            names.translate_field(item, target.pick(OVERRIDE_KEYS[0]));
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        swap_keys(status, &STATUS_KEYS);
        for item in items(status.get_mut(target.pick(STATUS_KEYS[0]))) {
            names.translate_field(item, "name");
        }
    }
    object
}

impl Version {
    fn pick(self, (north, south): (&'static str, &'static str)) -> &'static str {
        match self {
            Self::Northbound => north,
            Self::Southbound => south,
        }
    }
}

fn items(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    list.and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// Swaps each pair of keys. Swapping instead of renaming keeps a field that happens to have the other version's
/// name, and is its own inverse.
fn swap_keys(map: &mut Map<String, Value>, pairs: &[(&str, &str)]) {
    for (north, south) in pairs {
        let (was_north, was_south) = (map.remove(*north), map.remove(*south));
        if let Some(value) = was_north {
            map.insert((*south).to_owned(), value);
        }
        if let Some(value) = was_south {
            map.insert((*north).to_owned(), value);
        }
    }
}

fn translate_api_version(object: &mut Value, target: Version) {
    let Some(Value::String(text)) = object.get_mut("apiVersion") else {
        return;
    };
    if Version::of(text) == Some(target.other()) {
        *text = names::api_version(names::split_api_version(text).0, target.as_str());
    }
}

/// Moves the topology type between `spec.topologyType` (v1) and its annotation (v1beta1, absent for `cluster`).
/// Returns it, or `None` if the object has no spec to speak of.
fn translate_topology_type(object: &mut Value, target: Version) -> Option<String> {
    let spec = object.get_mut("spec").and_then(Value::as_object_mut)?;
    match target {
        Version::Southbound => {
            let topology = match spec.remove("topologyType") {
                Some(Value::String(text)) => text,
                _ => TOPOLOGY_CLUSTER.to_owned(),
            };
            if topology == TOPOLOGY_CLUSTER {
                remove_annotation(object);
            } else {
                set_annotation(object, &topology);
            }
            Some(topology)
        }
        Version::Northbound => {
            let topology = remove_annotation(object).unwrap_or_else(|| TOPOLOGY_CLUSTER.to_owned());
            object
                .get_mut("spec")
                .and_then(Value::as_object_mut)?
                .insert("topologyType".into(), Value::String(topology.clone()));
            Some(topology)
        }
    }
}

/// Removes the topology annotation, and `annotations` if that leaves it empty; returns a value that is a string.
fn remove_annotation(object: &mut Value) -> Option<String> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let all = metadata.get_mut("annotations")?.as_object_mut()?;
    let value = all.remove(annotations::TOPOLOGY_TYPE)?;
    if all.is_empty() {
        metadata.remove("annotations");
    }
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn set_annotation(object: &mut Value, topology: &str) {
    if let Some(all) = super::residue::annotations_of(object) {
        all.insert(
            annotations::TOPOLOGY_TYPE.to_owned(),
            Value::String(topology.to_owned()),
        );
    }
}

/// How names and selectors translate for one object.
struct Names {
    cells: bool,
    namespace: String,
    target: Version,
}

impl Names {
    fn translate_placement(&self, placement: &mut Map<String, Value>) {
        swap_keys(placement, &PLACEMENT_KEYS);
        for item in items(placement.get_mut(self.target.pick(PLACEMENT_KEYS[0]))) {
            self.translate_field(item, "name");
        }
        let selector = placement
            .get_mut(self.target.pick(PLACEMENT_KEYS[1]))
            .and_then(Value::as_object_mut);
        if let (true, Some(selector)) = (self.cells, selector) {
            self.translate_selector(selector);
        }
    }

    fn translate_field(&self, item: &mut Map<String, Value>, key: &str) {
        if !self.cells {
            return;
        }
        if let Some(Value::String(name)) = item.get_mut(key) {
            *name = match self.target {
                Version::Southbound => cluster_of_cell(name, &self.namespace),
                Version::Northbound => cell_of_cluster(name, &self.namespace),
            };
        }
    }

    /// Adds or strips the requirement that ties a selector of cells to the object's namespace.
    fn translate_selector(&self, selector: &mut Map<String, Value>) {
        match self.target {
            Version::Southbound => {
                let required = selector
                    .entry("matchLabels")
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Some(required) = required.as_object_mut() {
                    required.insert(
                        labels::CELL_NAMESPACE.to_owned(),
                        Value::String(self.namespace.clone()),
                    );
                }
            }
            Version::Northbound => {
                let Some(required) = selector
                    .get_mut("matchLabels")
                    .and_then(Value::as_object_mut)
                else {
                    return;
                };
                if required.get(labels::CELL_NAMESPACE).and_then(Value::as_str)
                    == Some(&self.namespace)
                {
                    required.remove(labels::CELL_NAMESPACE);
                    if required.is_empty() {
                        selector.remove("matchLabels");
                    }
                }
            }
        }
    }
}

/// Starts a v1 name, under `topologyType: cell`, that stands for a cluster and not for a cell of the object's
/// namespace. No object can have it in its name.
const FOREIGN: char = '/';

/// v1 name → v1beta1 name under `topologyType: cell`: `rz00a` ↦ `rz00a.<namespace>`, `/hz-1` ↦ `hz-1`. A bijection on
/// all strings; [`cell_of_cluster`] is its inverse.
fn cluster_of_cell(name: &str, namespace: &str) -> String {
    match name.strip_prefix(FOREIGN) {
        None => format!("{name}.{namespace}"),
        Some(_) if is_of_namespace(name, namespace) => name.to_owned(),
        Some(cluster) => cluster.to_owned(),
    }
}

/// v1beta1 name → v1 name under `topologyType: cell`. See [`cluster_of_cell`].
fn cell_of_cluster(name: &str, namespace: &str) -> String {
    match (name.starts_with(FOREIGN), is_of_namespace(name, namespace)) {
        (true, true) => name.to_owned(),
        (false, true) => name[..name.len() - namespace.len() - 1].to_owned(),
        (_, false) => format!("{FOREIGN}{name}"),
    }
}

/// True if `name` ends with `.<namespace>`.
fn is_of_namespace(name: &str, namespace: &str) -> bool {
    name.strip_suffix(namespace)
        .is_some_and(|rest| rest.ends_with('.'))
}
