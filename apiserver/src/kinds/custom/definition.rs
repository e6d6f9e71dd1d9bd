//! Reading a CustomResourceDefinition, and its conditions.

use serde_json::{Map, Value, json};

/// The store's resource name of CRDs.
pub const CRD_RESOURCE: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// What keeps a deleted CRD until its objects are gone.
pub const CRD_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// A string below `value`, or `""`.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    let found = path.iter().try_fold(value, |value, key| value.get(key));
    found.and_then(Value::as_str).unwrap_or_default()
}

/// The entries of a list below `value`, none if it is absent.
pub(super) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    let found = path.iter().try_fold(value, |value, key| value.get(key));
    found
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The strings of a list below `value`.
pub(super) fn texts(value: &Value, path: &[&str]) -> Vec<String> {
    list(value, path)
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The name of the version that is stored.
pub(super) fn storage_version(crd: &Value) -> Option<&str> {
    let versions = list(crd, &["spec", "versions"]);
    versions
        .iter()
        .find(|version| version["storage"] == true)
        .and_then(|version| version["name"].as_str())
}

/// A condition of the status by its type.
pub(crate) fn condition<'a>(crd: &'a Value, kind: &str) -> Option<&'a Value> {
    list(crd, &["status", "conditions"])
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// Does the status say so?
pub(crate) fn condition_is_true(crd: &Value, kind: &str) -> bool {
    condition(crd, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Sets a condition of the status; its time of transition changes only with its status.
pub(crate) fn set_condition(
    crd: &mut Value,
    kind: &str,
    status: bool,
    reason: &str,
    message: &str,
    now: &str,
) {
    let status = if status { "True" } else { "False" };
    let since = match condition(crd, kind) {
        Some(old) if old["status"] == status => old["lastTransitionTime"].clone(),
        _ => now.into(),
    };
    let new = json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since});
    let conditions = &mut status_mut(crd)["conditions"];
    match conditions.as_array_mut() {
        Some(list) => match list.iter_mut().find(|condition| condition["type"] == kind) {
            Some(old) => *old = new,
            None => list.push(new),
        },
        None => *conditions = json!([new]),
    }
}

/// Takes a condition away.
pub(crate) fn remove_condition(crd: &mut Value, kind: &str) {
    if let Some(list) = crd
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut)
    {
        list.retain(|condition| condition["type"] != kind);
    }
}

/// The status as an object, made if it is absent.
pub(crate) fn status_mut(crd: &mut Value) -> &mut Value {
    let status = &mut crd["status"];
    if !status.is_object() {
        *status = Value::Object(Map::new());
    }
    status
}

/// Notes the version that is stored now among those that objects may be stored at.
pub(crate) fn remember_storage_version(crd: &mut Value) {
    let Some(current) = storage_version(crd).map(str::to_owned) else {
        return;
    };
    let mut stored = texts(crd, &["status", "storedVersions"]);
    if !stored.contains(&current) {
        stored.push(current);
        status_mut(crd)["storedVersions"] = json!(stored);
    }
}
