//! What a translation would lose, as guarded edits in one annotation.

use federation_api::annotations;
use serde_json::{Map, Value, json};

/// One guarded edit of the object that is converted *to*.
#[derive(Debug, PartialEq)]
struct Edit {
    /// Where: a chain of object keys.
    path: Vec<String>,
    /// Value that the translation gives there; the edit applies only while it does. `None`: no such field.
    from: Option<Value>,
    /// Value that was there originally. `None`: no such field.
    to: Option<Value>,
}

/// The edits that undo a translation's losses.
#[derive(Debug, PartialEq)]
pub(super) struct Residue {
    edits: Vec<Edit>,
}

/// The annotations of an object, made if there are none; whatever stood in their place is replaced.
pub(super) fn annotations_of(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = object
        .as_object_mut()?
        .entry("metadata")
        .or_insert(Value::Null);
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    let all = metadata
        .as_object_mut()?
        .entry("annotations")
        .or_insert(Value::Null);
    if !all.is_object() {
        *all = Value::Object(Map::new());
    }
    all.as_object_mut()
}

/// Where the annotation found no place of its own and what stood there: restored when it is taken out again.
fn displaced(object: &Value) -> Option<(&'static str, Option<Value>)> {
    match object.get("metadata") {
        Some(Value::Object(metadata)) => match metadata.get("annotations") {
            Some(Value::Object(_)) => None,
            other => Some(("annotations", other.cloned())),
        },
        other => Some(("metadata", other.cloned())),
    }
}

impl Residue {
    /// The edits that turn `from` into `to`. Both are objects that agree on whether they have a spec.
    pub(super) fn between(from: &Value, to: &Value) -> Self {
        let mut edits = Vec::new();
        diff(&mut Vec::new(), Some(from), Some(to), &mut edits);
        Self { edits }
    }

    /// Puts the residue on `object`, which has none.
    pub(super) fn attach(&self, mut object: Value) -> Value {
        let edits: Vec<Value> = self
            .edits
            .iter()
            .map(|edit| {
                let mut item = Map::new();
                item.insert("path".into(), json!(edit.path));
                if let Some(from) = &edit.from {
                    item.insert("from".into(), from.clone());
                }
                if let Some(to) = &edit.to {
                    item.insert("to".into(), to.clone());
                }
                Value::Object(item)
            })
            .collect();
        let mut body = json!({"edits": edits});
        if let Some((place, was)) = displaced(&object) {
            let mut item = Map::new();
            item.insert("place".into(), json!(place));
            if let Some(was) = was {
                item.insert("was".into(), was);
            }
            body["displaced"] = Value::Object(item);
        }
        if let Some(all) = annotations_of(&mut object) {
            all.insert(
                annotations::CONVERSION_RESIDUE.to_owned(),
                Value::String(body.to_string()),
            );
        }
        object
    }

    /// Takes the annotation off `object`: the object without it, and the residue if the annotation holds one.
    /// `None` if there is no annotation.
    pub(super) fn split(object: &Value) -> Option<(Value, Option<Self>)> {
        object
            .get("metadata")?
            .get("annotations")?
            .get(annotations::CONVERSION_RESIDUE)?;
        let mut bare = object.clone();
        let all = annotations_of(&mut bare)?;
        let text = all.remove(annotations::CONVERSION_RESIDUE)?;
        let empty = all.is_empty();
        let body: Option<Value> = text
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok());
        let residue = body.as_ref().and_then(Self::parse);
        if let (true, true, Some(displaced)) = (
            empty,
            residue.is_some(),
            body.as_ref().and_then(|body| body.get("displaced")),
        ) {
            restore(&mut bare, displaced);
        }
        Some((bare, residue))
    }

    /// Does the object carry the annotation, whatever it holds?
    pub(super) fn is_on(object: &Value) -> bool {
        object
            .pointer("/metadata/annotations")
            .is_some_and(|all| all.get(annotations::CONVERSION_RESIDUE).is_some())
    }

    /// The object without the annotation, as if it had never had one.
    pub(super) fn strip(mut object: Value) -> Value {
        if let Some(all) = object
            .pointer_mut("/metadata/annotations")
            .and_then(Value::as_object_mut)
        {
            all.remove(annotations::CONVERSION_RESIDUE);
        }
        object
    }

    fn parse(body: &Value) -> Option<Self> {
        let edits = body
            .get("edits")?
            .as_array()?
            .iter()
            .map(Edit::parse)
            .collect::<Option<Vec<_>>>()?;
        (!edits.is_empty()).then_some(Self { edits })
    }

    /// Applies every edit whose guard holds.
    pub(super) fn apply(&self, mut object: Value) -> Value {
        for edit in &self.edits {
            edit.apply(&mut object);
        }
        object
    }
}

fn restore(bare: &mut Value, displaced: &Value) {
    let was = displaced.get("was").cloned();
    let place = displaced.get("place").and_then(Value::as_str);
    let holder = match place {
        Some("annotations") => bare.get_mut("metadata"),
        Some("metadata")
            if bare
                .get("metadata")
                .and_then(Value::as_object)
                .is_some_and(|all| all.len() == 1) =>
        {
            Some(bare)
        }
        _ => None,
    };
    if let (Some(holder), Some(place)) = (holder.and_then(Value::as_object_mut), place) {
        match was {
            Some(was) => holder.insert(place.to_owned(), was),
            None => holder.remove(place),
        };
    }
}

impl Edit {
    /// Reads one edit. Edits of the whole object, of the whole spec or of the template are never ours, and neither are
    /// edits of what makes an object that object: whoever forges one could make an API server refuse the object, and
    /// with it every list that it is in.
    fn parse(item: &Value) -> Option<Self> {
        let path: Vec<String> = item
            .get("path")?
            .as_array()?
            .iter()
            .map(|key| key.as_str().map(str::to_owned))
            .collect::<Option<_>>()?;
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        if matches!(keys[..], [] | ["spec"] | ["spec", "template", ..]) {
            return None;
        }
        let to = item.get("to");
        let harmless = match keys[..] {
            ["apiVersion" | "kind", ..] => false,
            ["metadata"] => to
                .and_then(Value::as_object)
                .is_none_or(|to| to.keys().all(|key| key == "annotations")),
            ["metadata", "annotations"] => true,
            [
                "metadata",
                "annotations",
                annotations::CONVERSION_RESIDUE | annotations::TOPOLOGY_TYPE,
            ] => true,
            ["metadata", "annotations", _] => to.is_none_or(Value::is_string),
            ["metadata", ..] => false,
            _ => true,
        };
        harmless.then(|| Self {
            from: item.get("from").cloned(),
            to: to.cloned(),
            path,
        })
    }

    fn apply(&self, object: &mut Value) {
        let Some((last, parents)) = self.path.split_last() else {
            return;
        };
        let mut place = object;
        for key in parents {
            match place.get_mut(key) {
                Some(next) => place = next,
                None => return,
            }
        }
        let Some(map) = place.as_object_mut() else {
            return;
        };
        if map.get(last) != self.from.as_ref() {
            return;
        }
        match &self.to {
            Some(value) => map.insert(last.clone(), value.clone()),
            None => map.remove(last),
        };
    }
}

/// Collects the edits from `from` to `to`, as deep in objects as possible; lists differ as a whole.
fn diff(path: &mut Vec<String>, from: Option<&Value>, to: Option<&Value>, edits: &mut Vec<Edit>) {
    if from == to {
        return;
    }
    if let (Some(Value::Object(from)), Some(Value::Object(to))) = (from, to) {
        let mut keys: Vec<&String> = from.keys().chain(to.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            path.push(key.clone());
            diff(path, from.get(key), to.get(key), edits);
            path.pop();
        }
        return;
    }
    edits.push(Edit {
        path: path.clone(),
        from: from.cloned(),
        to: to.cloned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_edits_of_identity_or_labels_are_not_believed() {
        for (path, from, to) in [
            (json!(["kind"]), json!("FederatedFoo"), json!("Pod")),
            (json!(["apiVersion"]), json!("a/v1"), json!("a/v9")),
            (json!(["metadata", "name"]), json!("a"), json!("b")),
            (json!(["metadata", "labels"]), json!(null), json!({"a": 1})),
            (json!(["metadata"]), json!({}), json!({"name": "b"})),
            (
                json!(["metadata", "annotations", "x"]),
                json!("1"),
                json!(1),
            ),
        ] {
            let edit = json!({"path": path, "from": from, "to": to});
            assert_eq!(Edit::parse(&edit), None, "{edit}");
        }
        let ours = json!({"path": ["metadata", "annotations"], "to": {"a": "b"}});
        assert!(Edit::parse(&ours).is_some());
    }
}
