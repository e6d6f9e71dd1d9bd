//! The JSON types of `metadata`: objects whose metadata Go could not decode never get further than this.

use serde_json::{Map, Value};

/// The fields of `metav1.ObjectMeta`.
const FIELDS: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The fields of `metav1.OwnerReference`.
const OWNER_FIELDS: &[&str] = &[
    "apiVersion",
    "blockOwnerDeletion",
    "controller",
    "kind",
    "name",
    "uid",
];

/// Removes what is no field of `ObjectMeta` and gives the paths; also drops nulls, which mean "absent" in metadata.
pub(crate) fn prune_unknown(object: &mut Value) -> Vec<String> {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else {
        return Vec::new();
    };
    metadata.retain(|_, value| !value.is_null());
    let mut dropped = retain_known(metadata, FIELDS, "metadata.");
    if let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences") {
        for (at, owner) in owners.iter_mut().enumerate() {
            if let Value::Object(owner) = owner {
                owner.retain(|_, value| !value.is_null());
                let prefix = format!("metadata.ownerReferences[{at}].");
                dropped.extend(retain_known(owner, OWNER_FIELDS, &prefix));
            }
        }
    }
    dropped
}

fn retain_known(fields: &mut Map<String, Value>, known: &[&str], prefix: &str) -> Vec<String> {
    let mut dropped = Vec::new();
    fields.retain(|key, _| {
        let keep = known.contains(&key.as_str());
        if !keep {
            dropped.push(format!("{prefix}{key}"));
        }
        keep
    });
    dropped
}

/// Go's complaint about the first value in `metadata` of the wrong type.
pub(crate) fn check_types(object: &Value) -> Result<(), String> {
    let metadata = match object.get("metadata") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return Err(mismatch(other, "metadata", "v1.ObjectMeta")),
    };
    for (key, value) in metadata {
        let path = format!("metadata.{key}");
        match key.as_str() {
            "name" | "generateName" | "namespace" | "selfLink" | "uid" | "resourceVersion" => {
                string(value, &path)?;
            }
            "creationTimestamp" | "deletionTimestamp" => timestamp(value, &path)?,
            "generation" | "deletionGracePeriodSeconds" => integer(value, &path)?,
            "labels" | "annotations" => string_map(value, &path)?,
            "finalizers" => {
                for item in list(value, &path, "[]string")? {
                    string(item, &path)?;
                }
            }
            "ownerReferences" => {
                for item in list(value, &path, "[]v1.OwnerReference")? {
                    owner(item, &path)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn mismatch(found: &Value, path: &str, wanted: &str) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!(
        "json: cannot unmarshal {found} into Go struct field ObjectMeta.{path} of type {wanted}"
    )
}

fn string(value: &Value, path: &str) -> Result<(), String> {
    match value {
        Value::String(_) => Ok(()),
        other => Err(mismatch(other, path, "string")),
    }
}

fn integer(value: &Value, path: &str) -> Result<(), String> {
    if value.as_i64().is_some() {
        Ok(())
    } else {
        Err(mismatch(value, path, "int64"))
    }
}

fn timestamp(value: &Value, path: &str) -> Result<(), String> {
    string(value, path)?;
    let text = value.as_str().unwrap_or_default();
    text.parse::<jiff::Timestamp>().map(|_| ()).map_err(|_| {
        let layout = "2006-01-02T15:04:05Z07:00";
        let year = text.len() >= 4 && text.bytes().take(4).all(|b| b.is_ascii_digit());
        let wanted = if year { layout } else { "2006" };
        format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"{text}\" as \"{wanted}\"")
    })
}

fn list<'a>(value: &'a Value, path: &str, wanted: &str) -> Result<&'a [Value], String> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| mismatch(value, path, wanted))
}

fn string_map(value: &Value, path: &str) -> Result<(), String> {
    let map = value
        .as_object()
        .ok_or_else(|| mismatch(value, path, "map[string]string"))?;
    map.values().try_for_each(|item| string(item, path))
}

fn owner(value: &Value, path: &str) -> Result<(), String> {
    let fields = value
        .as_object()
        .ok_or_else(|| mismatch(value, path, "v1.OwnerReference"))?;
    for (key, value) in fields {
        let path = format!("{path}.{key}");
        match key.as_str() {
            "controller" | "blockOwnerDeletion" if !value.is_boolean() => {
                return Err(mismatch(value, &path, "bool"));
            }
            "apiVersion" | "kind" | "name" | "uid" => string(value, &path)?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_types_are_named() {
        let object = json!({"metadata": {"labels": {"a": 1}}});
        assert_eq!(
            check_types(&object).unwrap_err(),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"
        );
        for metadata in [
            json!([]),
            json!({"name": 1}),
            json!({"finalizers": "x"}),
            json!({"finalizers": [null]}),
            json!({"ownerReferences": [{"controller": "yes"}]}),
            json!({"generation": "1"}),
            json!({"creationTimestamp": "yesterday"}),
        ] {
            assert!(
                check_types(&json!({"metadata": metadata})).is_err(),
                "{metadata}"
            );
        }
    }

    #[test]
    fn unknown_fields_and_nulls_go() {
        let mut object = json!({"metadata": {"name": "a", "creationTimestamp": null, "foo": 1,
            "ownerReferences": [{"uid": "u", "x": 1}]}});
        let dropped = prune_unknown(&mut object);
        assert_eq!(dropped, ["metadata.foo", "metadata.ownerReferences[0].x"]);
        assert_eq!(
            object,
            json!({"metadata": {"name": "a", "ownerReferences": [{"uid": "u"}]}})
        );
        assert_eq!(check_types(&object), Ok(()));
    }
}
