//! Schemas out of JSON: the built-in table's lines and CRDs' `openAPIV3Schema`.

use serde_json::{Map, Value};

use super::model::{
    ListRules, ListType, PatchStrategy, Pattern, Reference, Rules, Schema, ValueType,
};
use super::types::{OBJECT_META, QUANTITY, static_name};

/// Why a CRD's schema cannot be taken. The rules of structural schemas are checked elsewhere, with all findings at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A schema is not a JSON object.
    #[error("schema at {0:?} is not an object")]
    NotAnObject(String),
    /// `type` is none of JSON schema's types.
    #[error("unknown type {1:?} at {0:?}")]
    UnknownType(String, String),
}

/// Required fields that upstream fills in, or whose zero value it takes, although the OpenAPI documents call them required.
const NOT_REALLY_REQUIRED: &[(&str, &str)] = &[
    ("io.k8s.api.rbac.v1.RoleRef", "apiGroup"),
    ("io.k8s.api.core.v1.HTTPHeader", "value"),
    ("io.k8s.api.core.v1.Sysctl", "value"),
    ("io.k8s.api.core.v1.Event", "metadata"),
    (
        "io.k8s.api.core.v1.TopologySpreadConstraint",
        "whenUnsatisfiable",
    ),
    ("io.k8s.api.core.v1.ContainerResizePolicy", "restartPolicy"),
    (
        "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern",
        "status",
    ),
    ("io.k8s.api.networking.v1.HTTPIngressPath", "backend"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Condition", "message"),
];

/// The types of CustomResourceDefinitions, whose own validation says what is missing.
const DEFINITIONS: &str = "io.k8s.apiextensions-apiserver.";

impl Schema {
    /// A type of the built-in table, from its line. Unknown keywords are ignored: the table is generated.
    pub(super) fn from_builtin(name: &'static str, value: &Value) -> Self {
        let mut schema = builtin_node(value);
        schema.type_name = Some(name);
        if name.starts_with(DEFINITIONS) {
            schema.required.clear();
        }
        if let Some((object, _)) = name.split_once("JSONSchemaPropsOr") {
            let target = format!("{object}JSONSchemaProps");
            schema.reference = static_name(&target).map(Reference::new);
            schema.preserve_unknown = false;
            schema.loose = true;
        }
        schema.required.retain(|field| {
            !NOT_REALLY_REQUIRED.contains(&(name, &**field)) && {
                let default = value.pointer(&format!("/properties/{field}/default"));
                default.is_none_or(|d| d.is_object() || *d == "")
            }
        });
        if name.ends_with(".resource.Quantity") {
            schema.format = Some(QUANTITY.into());
        }
        schema
    }

    /// The schema of one version of a CRD, from its `openAPIV3Schema`. Metadata is described by the built-in
    /// `ObjectMeta` at the root and in embedded resources, whatever the CRD says of it; what it says restricts it further.
    ///
    /// # Errors
    /// The value is no schema at all. A schema that breaks the rules of structural schemas is taken as far as it goes.
    pub fn from_crd(openapi_v3_schema: &Value) -> Result<Self, SchemaError> {
        let mut schema = crd_node(openapi_v3_schema, "")?;
        schema.describe_object();
        schema.value_type = ValueType::Object;
        Ok(schema)
    }

    /// The schema of a CRD version that keeps every field (`x-kubernetes-preserve-unknown-fields` at the root).
    pub fn preserving() -> Self {
        let mut schema = Self {
            value_type: ValueType::Object,
            preserve_unknown: true,
            ..Self::default()
        };
        schema.describe_object();
        schema
    }

    /// Adds `apiVersion`, `kind` and `metadata` to an object that is a whole resource.
    fn describe_object(&mut self) {
        for name in ["apiVersion", "kind"] {
            let own = self.own_property(name);
            own.value_type = ValueType::String;
        }
        let own = self.own_property("metadata");
        own.reference = static_name(OBJECT_META).map(Reference::new);
        own.value_type = ValueType::Object;
        own.preserve_unknown = false;
    }

    fn own_property(&mut self, name: &str) -> &mut Schema {
        let at = match self
            .properties
            .binary_search_by(|(key, _)| (**key).cmp(name))
        {
            Ok(at) => at,
            Err(at) => {
                self.properties.insert(at, (name.into(), Self::default()));
                at
            }
        };
        &mut self.properties[at].1
    }
}

fn text(fields: &Map<String, Value>, key: &str) -> Option<Box<str>> {
    fields
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(Box::from)
}

fn flag(fields: &Map<String, Value>, key: &str) -> bool {
    fields.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn texts(fields: &Map<String, Value>, key: &str) -> Vec<Box<str>> {
    let list = fields
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter()
        .filter_map(Value::as_str)
        .map(Box::from)
        .collect()
}

fn value_type(name: &str) -> Option<ValueType> {
    Some(match name {
        "" => ValueType::Any,
        "object" => ValueType::Object,
        "array" => ValueType::Array,
        "string" => ValueType::String,
        "integer" => ValueType::Integer,
        "number" => ValueType::Number,
        "boolean" => ValueType::Boolean,
        _ => return None,
    })
}

fn list_rules(fields: &Map<String, Value>) -> Option<Box<ListRules>> {
    let list_type = match fields.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Some(ListType::Set),
        Some("map") => Some(ListType::Map),
        Some("atomic") => Some(ListType::Atomic),
        _ => None,
    };
    let strategies = text(fields, "x-kubernetes-patch-strategy").unwrap_or_default();
    let has = |wanted: &str| strategies.split(',').any(|one| one == wanted);
    let patch = PatchStrategy {
        merge: has("merge"),
        retain_keys: has("retainKeys"),
        replace: has("replace"),
    };
    let rules = ListRules {
        list_type,
        map_keys: texts(fields, "x-kubernetes-list-map-keys"),
        patch,
        merge_key: text(fields, "x-kubernetes-patch-merge-key"),
    };
    let any = list_type.is_some() || rules.merge_key.is_some() || !strategies.is_empty();
    any.then(|| Box::new(rules))
}

/// A default worth filling in: Go's zero values need not be.
fn builtin_default(fields: &Map<String, Value>) -> Option<Box<Value>> {
    let default = fields.get("default")?;
    let zero = match default {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(true) => false,
    };
    (!zero).then(|| Box::new(default.clone()))
}

fn builtin_node(value: &Value) -> Schema {
    let empty = Map::new();
    let fields = value.as_object().unwrap_or(&empty);
    let reference = fields
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(static_name)
        .map(Reference::new);
    let declared = fields
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let value_type = value_type(declared).unwrap_or_default();
    let mut properties: Vec<(Box<str>, Schema)> =
        match fields.get("properties").and_then(Value::as_object) {
            Some(map) => map
                .iter()
                .map(|(name, node)| (name.as_str().into(), builtin_node(node)))
                .collect(),
            None => Vec::new(),
        };
    properties.sort_by(|a, b| a.0.cmp(&b.0));
    let additional = fields
        .get("additionalProperties")
        .map(|node| Box::new(builtin_node(node)));
    let format = text(fields, "format");
    let open = reference.is_none()
        && additional.is_none()
        && properties.is_empty()
        && matches!(value_type, ValueType::Any | ValueType::Object);
    Schema {
        reference,
        value_type,
        builtin: true,
        int_or_string: format.as_deref() == Some("int-or-string"),
        preserve_unknown: open,
        atomic_map: fields
            .get("x-kubernetes-map-type")
            .is_some_and(|kind| kind == "atomic"),
        format,
        default: builtin_default(fields),
        properties,
        required: texts(fields, "required"),
        additional,
        items: fields.get("items").map(|node| Box::new(builtin_node(node))),
        lists: list_rules(fields),
        ..Schema::default()
    }
}

fn crd_node(value: &Value, path: &str) -> Result<Schema, SchemaError> {
    let Some(fields) = value.as_object() else {
        return Err(SchemaError::NotAnObject(path.to_owned()));
    };
    let declared = fields
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let Some(value_type) = value_type(declared) else {
        return Err(SchemaError::UnknownType(
            path.to_owned(),
            declared.to_owned(),
        ));
    };
    let mut properties = Vec::new();
    for (name, node) in fields
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        properties.push((
            Box::from(name.as_str()),
            crd_node(node, &format!("{path}.properties[{name}]"))?,
        ));
    }
    properties.sort_by(|a: &(Box<str>, Schema), b| a.0.cmp(&b.0));
    let additional = match fields.get("additionalProperties") {
        Some(Value::Bool(true)) => Some(Box::new(Schema {
            preserve_unknown: true,
            nullable: true,
            ..Schema::default()
        })),
        None | Some(Value::Bool(false) | Value::Null) => None,
        Some(node) => Some(Box::new(crd_node(
            node,
            &format!("{path}.additionalProperties"),
        )?)),
    };
    let items = match fields.get("items") {
        None | Some(Value::Null) => None,
        Some(node) => Some(Box::new(crd_node(node, &format!("{path}.items"))?)),
    };
    let mut schema = Schema {
        value_type,
        nullable: flag(fields, "nullable"),
        int_or_string: flag(fields, "x-kubernetes-int-or-string"),
        preserve_unknown: flag(fields, "x-kubernetes-preserve-unknown-fields"),
        embedded: flag(fields, "x-kubernetes-embedded-resource"),
        atomic_map: fields
            .get("x-kubernetes-map-type")
            .is_some_and(|kind| kind == "atomic"),
        format: text(fields, "format"),
        description: text(fields, "description"),
        default: fields
            .get("default")
            .filter(|d| !d.is_null())
            .map(|d| Box::new(d.clone())),
        properties,
        required: texts(fields, "required"),
        additional,
        items,
        lists: list_rules(fields),
        rules: crd_rules(fields, path)?,
        ..Schema::default()
    };
    if schema.embedded {
        schema.describe_object();
    }
    Ok(schema)
}

const RULE_KEYWORDS: &[&str] = &[
    "title",
    "externalDocs",
    "example",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "pattern",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "x-kubernetes-validations",
];

fn crd_rules(fields: &Map<String, Value>, path: &str) -> Result<Option<Box<Rules>>, SchemaError> {
    if !RULE_KEYWORDS
        .iter()
        .any(|keyword| fields.contains_key(*keyword))
    {
        return Ok(None);
    }
    let number = |key: &str| fields.get(key).and_then(Value::as_f64);
    let count = |key: &str| fields.get(key).and_then(Value::as_u64);
    let list = |key: &str| -> Result<Vec<Schema>, SchemaError> {
        let nodes = fields
            .get(key)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        nodes
            .iter()
            .enumerate()
            .map(|(i, node)| crd_node(node, &format!("{path}.{key}[{i}]")))
            .collect()
    };
    let present = |key: &str| fields.get(key).filter(|value| !value.is_null()).cloned();
    Ok(Some(Box::new(Rules {
        title: text(fields, "title"),
        external_docs: present("externalDocs"),
        example: present("example"),
        enumeration: fields
            .get("enum")
            .and_then(Value::as_array)
            .filter(|list| !list.is_empty())
            .cloned(),
        minimum: number("minimum"),
        maximum: number("maximum"),
        exclusive_minimum: flag(fields, "exclusiveMinimum"),
        exclusive_maximum: flag(fields, "exclusiveMaximum"),
        multiple_of: number("multipleOf"),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        pattern: text(fields, "pattern").map(|pattern| Pattern::new(&pattern)),
        all_of: list("allOf")?,
        any_of: list("anyOf")?,
        one_of: list("oneOf")?,
        not: match fields.get("not") {
            None | Some(Value::Null) => None,
            Some(node) => Some(Box::new(crd_node(node, &format!("{path}.not"))?)),
        },
        validations: present("x-kubernetes-validations"),
    })))
}
