//! Schemas as OpenAPI v3, the way clients read them.

use serde_json::{Map, Value, json};

use super::model::{ListType, Rules, Schema};
use super::types::{OBJECT_META, builtin_type_json};

/// Where references point in an OpenAPI document.
const REFERENCE: &str = "#/components/schemas/";

/// A built-in type as a component of an OpenAPI document; `None` if the table lacks it.
pub(crate) fn builtin_component(name: &str) -> Option<Value> {
    Some(expand(builtin_type_json(name)?))
}

/// Puts the references of a table entry back into OpenAPI's form: beside other keywords a reference is wrapped in `allOf`.
fn expand(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut out: Map<String, Value> = Map::new();
            let alone = fields.len() == 1;
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("$ref", Value::String(name)) => {
                        let target = Value::from(format!("{REFERENCE}{name}"));
                        if alone {
                            out.insert(key, target);
                        } else {
                            out.insert("allOf".to_owned(), json!([{"$ref": target}]));
                        }
                    }
                    (_, value) => {
                        out.insert(key, expand(value));
                    }
                }
            }
            Value::Object(out)
        }
        Value::Array(list) => list.into_iter().map(expand).collect(),
        other => other,
    }
}

impl Schema {
    /// The schema as OpenAPI v3, with descriptions and the `x-kubernetes-*` extensions. References to built-in types
    /// point into `#/components/schemas`; of the built-in types only those references are given for built-in nodes.
    pub fn to_openapi(&self) -> Value {
        let mut out = Map::new();
        if let Some(reference) = &self.reference {
            out.insert(
                "allOf".to_owned(),
                json!([{"$ref": format!("{REFERENCE}{}", reference.name)}]),
            );
        }
        if let Some(description) = &self.description {
            out.insert("description".to_owned(), (&**description).into());
        }
        if self.int_or_string {
            out.insert("x-kubernetes-int-or-string".to_owned(), true.into());
        } else if self.reference.is_none() && !self.value_type.as_str().is_empty() {
            out.insert("type".to_owned(), self.value_type.as_str().into());
        }
        if let Some(format) = &self.format {
            out.insert("format".to_owned(), (&**format).into());
        }
        if let Some(default) = &self.default {
            out.insert("default".to_owned(), (**default).clone());
        }
        for (set, key) in [
            (self.nullable, "nullable"),
            (
                self.preserve_unknown,
                "x-kubernetes-preserve-unknown-fields",
            ),
            (self.embedded, "x-kubernetes-embedded-resource"),
        ] {
            if set {
                out.insert(key.to_owned(), true.into());
            }
        }
        self.structure(&mut out);
        if let Some(rules) = &self.rules {
            write_rules(rules, &mut out);
        }
        if let Some([reference]) = out
            .get("allOf")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            && out.len() == 1
            && reference.get("$ref").is_some()
        {
            return reference.clone();
        }
        Value::Object(out)
    }

    fn structure(&self, out: &mut Map<String, Value>) {
        if !self.properties.is_empty() && self.reference.is_none() {
            let properties: Map<String, Value> = self
                .properties
                .iter()
                .map(|(name, node)| (name.to_string(), node.to_openapi()))
                .collect();
            out.insert("properties".to_owned(), properties.into());
        }
        if !self.required.is_empty() {
            out.insert("required".to_owned(), json!(self.required));
        }
        if let Some(additional) = &self.additional {
            let node = additional.to_openapi();
            let open = node.as_object().is_some_and(|f| {
                f.keys()
                    .all(|k| k.starts_with("x-kubernetes-pres") || k == "nullable")
            });
            out.insert(
                "additionalProperties".to_owned(),
                if open { true.into() } else { node },
            );
        }
        if let Some(items) = &self.items {
            out.insert("items".to_owned(), items.to_openapi());
        }
        if self.atomic_map {
            out.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        if let Some(lists) = &self.lists {
            if let Some(list_type) = lists.list_type {
                let name = match list_type {
                    ListType::Atomic => "atomic",
                    ListType::Set => "set",
                    ListType::Map => "map",
                };
                out.insert("x-kubernetes-list-type".to_owned(), name.into());
            }
            if !lists.map_keys.is_empty() {
                out.insert(
                    "x-kubernetes-list-map-keys".to_owned(),
                    json!(lists.map_keys),
                );
            }
        }
    }
}

fn write_rules(rules: &Rules, out: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(key.to_owned(), value);
        }
    };
    let number = |n: Option<f64>| {
        n.map(|n| {
            if n.fract() == 0.0 && n.abs() < 9e15 {
                json!(n as i64)
            } else {
                json!(n)
            }
        })
    };
    let count = |n: Option<u64>| n.map(Value::from);
    let flag = |set: bool| set.then_some(Value::Bool(true));
    let list = |schemas: &[Schema]| -> Option<Value> {
        (!schemas.is_empty()).then(|| schemas.iter().map(Schema::to_openapi).collect())
    };
    put("title", rules.title.as_deref().map(Value::from));
    put("externalDocs", rules.external_docs.clone());
    put("example", rules.example.clone());
    put("enum", rules.enumeration.clone().map(Value::Array));
    put("minimum", number(rules.minimum));
    put("maximum", number(rules.maximum));
    put("exclusiveMinimum", flag(rules.exclusive_minimum));
    put("exclusiveMaximum", flag(rules.exclusive_maximum));
    put("multipleOf", number(rules.multiple_of));
    put("minLength", count(rules.min_length));
    put("maxLength", count(rules.max_length));
    put("minItems", count(rules.min_items));
    put("maxItems", count(rules.max_items));
    put("minProperties", count(rules.min_properties));
    put("maxProperties", count(rules.max_properties));
    put(
        "pattern",
        rules
            .pattern
            .as_ref()
            .map(|pattern| Value::from(&*pattern.text)),
    );
    put("anyOf", list(&rules.any_of));
    put("oneOf", list(&rules.one_of));
    put("not", rules.not.as_ref().map(|not| not.to_openapi()));
    put("x-kubernetes-validations", rules.validations.clone());
    if let Some(Value::Array(more)) = list(&rules.all_of) {
        let all = out
            .entry("allOf")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(all) = all {
            all.extend(more);
        }
    }
}

/// The reference to the built-in `ObjectMeta`, as upstream writes it for custom kinds.
pub(crate) fn object_meta_reference() -> Value {
    json!({
        "allOf": [{"$ref": format!("{REFERENCE}{OBJECT_META}")}],
        "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    })
}
