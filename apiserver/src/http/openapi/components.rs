//! The schemas that a document's operations speak of.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::cached::reference;
use crate::kinds::{Kind, KindVersion};
use crate::schema::builtin_component;

const REFERENCE: &str = "#/components/schemas/";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const GVK: &str = "x-kubernetes-group-version-kind";

/// The component name of a kind at a version: upstream's type name, or for a custom kind its group reversed.
pub(super) fn component(row: &Kind, version: &KindVersion) -> String {
    if let Some(name) = version.schema.type_name() {
        return name.to_owned();
    }
    let reversed: Vec<&str> = row.group.split('.').rev().collect();
    format!("{}.{}.{}", reversed.join("."), version.name, row.kind)
}

/// The component name of lists of a kind.
pub(super) fn list_component(row: &Kind, version: &KindVersion) -> String {
    match version.schema.type_name() {
        Some(name) => format!("{name}List"),
        None => {
            component(row, version)
                .trim_end_matches(&*row.kind)
                .to_owned()
                + &row.list_kind
        }
    }
}

/// All components that a row needs at a version; what built-in types refer to is followed.
pub(super) fn add(row: &Kind, version: &KindVersion, out: &mut Map<String, Value>) {
    let names = (component(row, version), list_component(row, version));
    if row.is_custom() {
        let schema = custom(row, version);
        let list = custom_list(row, version, &names.0);
        out.insert(names.0, schema.clone());
        out.insert(names.1, list.clone());
        follow(&schema, out);
        follow(&list, out);
    } else {
        add_builtin(&names.0, out);
        add_builtin(&names.1, out);
    }
}

/// A built-in type and everything that it refers to.
pub(super) fn add_builtin(name: &str, out: &mut Map<String, Value>) {
    if out.contains_key(name) {
        return;
    }
    let Some(schema) = builtin_component(name) else {
        return;
    };
    out.insert(name.to_owned(), schema.clone());
    follow(&schema, out);
}

fn follow(schema: &Value, out: &mut Map<String, Value>) {
    let mut names = BTreeSet::new();
    collect(schema, &mut names);
    for name in names {
        add_builtin(&name, out);
    }
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref")
                && let Some(name) = target.strip_prefix(REFERENCE)
            {
                names.insert(name.to_owned());
            }
            fields.values().for_each(|inner| collect(inner, names));
        }
        Value::Array(list) => list.iter().for_each(|inner| collect(inner, names)),
        _ => {}
    }
}

fn type_meta(properties: &mut Value) {
    let described: [(&str, &str); 2] = [
        (
            "apiVersion",
            "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
        ),
        (
            "kind",
            "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
        ),
    ];
    for (name, text) in described {
        properties[name] = json!({"type": "string", "description": text});
    }
}

fn custom(row: &Kind, version: &KindVersion) -> Value {
    let mut schema = version.schema.to_openapi();
    let properties = &mut schema["properties"];
    type_meta(properties);
    properties["metadata"] = crate::schema::object_meta_reference();
    schema[GVK] = gvk(row, version, &row.kind);
    schema
}

fn custom_list(row: &Kind, version: &KindVersion, item: &str) -> Value {
    let mut properties = json!({
        "items": {
            "type": "array",
            "items": reference(item),
            "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", row.plural),
        },
        "metadata": {
            "allOf": [reference(&format!("{META}.ListMeta"))],
            "description": "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
        },
    });
    type_meta(&mut properties);
    json!({
        "type": "object",
        "description": format!("{} is a list of {}", row.list_kind, row.kind),
        "required": ["items"],
        "properties": properties,
        GVK: gvk(row, version, &row.list_kind),
    })
}

fn gvk(row: &Kind, version: &KindVersion, kind: &str) -> Value {
    json!([{"group": &*row.group, "version": &*version.name, "kind": kind}])
}
