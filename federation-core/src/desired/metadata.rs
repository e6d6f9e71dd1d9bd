//! Labels and annotations of member objects: what is ours, and what stays the member's.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::annotations::PROPAGATED_LABELS;
use federation_api::labels;
use serde_json::{Map, Value};

use crate::retention::is_managed;

/// Text by key.
pub(super) type Texts = BTreeMap<String, String>;

/// The entries of `metadata.<field>` that are text; the rest is no valid metadata.
pub(super) fn texts(object: &Value, field: &str) -> Texts {
    object
        .get("metadata")
        .and_then(|metadata| metadata.get(field))
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Sets `metadata.<field>`; an empty map is left out. False if `object` cannot hold it.
pub(super) fn set_texts(object: &mut Value, field: &str, texts: Texts) -> bool {
    let Some(object) = object.as_object_mut() else {
        return false;
    };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else {
        return false;
    };
    if texts.is_empty() {
        metadata.remove(field);
    } else {
        let texts = texts
            .into_iter()
            .map(|(key, value)| (key, Value::String(value)))
            .collect();
        metadata.insert(field.to_owned(), Value::Object(texts));
    }
    true
}

/// Keys of the labels on a member object that came from its federated object.
///
/// Without our note, a managed object was last written by KubeFed, which owned all labels; of an object that was never
/// managed nothing came from us.
pub(super) fn propagated_labels(observed: &Value) -> BTreeSet<String> {
    match texts(observed, "annotations").get(PROPAGATED_LABELS) {
        Some(note) => note
            .split(',')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect(),
        None if is_managed(observed) => texts(observed, "labels").into_keys().collect(),
        None => BTreeSet::new(),
    }
}

/// Labels that the member itself put on its object.
pub(super) fn own_labels(observed: &Value) -> Texts {
    let ours = propagated_labels(observed);
    let mut labels = texts(observed, "labels");
    labels.retain(|key, _| key != labels::MANAGED && !ours.contains(key));
    labels
}

/// The last touch: marks `object` as managed, and notes which of its labels are ours, that is all but those that are as
/// the member has them and that were never ours. False if metadata, labels or annotations are no objects.
pub(super) fn seal(object: &mut Value, observed: Option<&Value>) -> bool {
    let well_formed = |field: &str| {
        object
            .pointer(&format!("/metadata/{field}"))
            .is_none_or(Value::is_object)
    };
    if !well_formed("labels") || !well_formed("annotations") {
        return false;
    }
    let mut labels = texts(object, "labels");
    labels.remove(labels::MANAGED);
    let theirs = observed.map(own_labels).unwrap_or_default();
    let ours: Vec<&str> = labels
        .iter()
        .filter(|(key, value)| theirs.get(*key) != Some(value))
        .map(|(key, _)| key.as_str())
        .collect();
    let note = ours.join(",");
    labels.insert(labels::MANAGED.to_owned(), labels::MANAGED_TRUE.to_owned());
    let mut annotations = texts(object, "annotations");
    annotations.insert(PROPAGATED_LABELS.to_owned(), note);
    set_texts(object, "labels", labels) && set_texts(object, "annotations", annotations)
}
