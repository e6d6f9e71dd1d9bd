//! The structure of a schema and the questions that patches ask of it.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use super::types;

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueType {
    /// Not restricted.
    #[default]
    Any,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// A string.
    String,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl ValueType {
    /// The name in JSON schema; empty for [`ValueType::Any`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// `x-kubernetes-list-type`: how a list merges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// As one value: whoever sets it sets all of it. What a list without the extension is.
    #[default]
    Atomic,
    /// Scalars, each at most once.
    Set,
    /// Objects, each at most once by its keys ([`Schema::list_map_keys`]).
    Map,
}

/// `x-kubernetes-patch-strategy`: what a strategic merge patch does with a field that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists merge by [`Schema::patch_merge_key`], or as sets of scalars if there is none. Otherwise they are replaced.
    pub merge: bool,
    /// Fields of the object that the patch's `$retainKeys` does not name are dropped.
    pub retain_keys: bool,
    /// The object is replaced instead of merged.
    pub replace: bool,
}

/// A schema or one of its nodes. Immutable once made.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// A built-in type whose content this node has, besides its own.
    pub(super) reference: Option<Reference>,
    /// The name of the built-in type that this is.
    pub(super) type_name: Option<&'static str>,
    pub(super) value_type: ValueType,
    /// Follows Go's decoding rules (built-in types) rather than those of structural schemas.
    pub(super) builtin: bool,
    /// Values may be of any type; objects among them are as the reference says.
    pub(super) loose: bool,
    pub(super) nullable: bool,
    pub(super) int_or_string: bool,
    pub(super) preserve_unknown: bool,
    pub(super) embedded: bool,
    pub(super) atomic_map: bool,
    pub(super) format: Option<Box<str>>,
    pub(super) description: Option<Box<str>>,
    /// Only defaults that are to be filled in; the zero values that upstream's OpenAPI lists for built-in types are not.
    pub(super) default: Option<Box<Value>>,
    /// Sorted by name.
    pub(super) properties: Vec<(Box<str>, Schema)>,
    pub(super) required: Vec<Box<str>>,
    pub(super) additional: Option<Box<Schema>>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) lists: Option<Box<ListRules>>,
    pub(super) rules: Option<Box<Rules>>,
}

/// A reference to a built-in type, resolved when it is first followed.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) name: &'static str,
    target: OnceLock<&'static Schema>,
}

impl Reference {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            target: OnceLock::new(),
        }
    }

    /// The name of the type.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn target(&self) -> &'static Schema {
        self.target
            .get_or_init(|| types::builtin_type(self.name).unwrap_or(types::anything()))
    }
}

/// How lists merge.
#[derive(Clone, Debug, Default)]
pub(super) struct ListRules {
    pub(super) list_type: Option<ListType>,
    pub(super) map_keys: Vec<Box<str>>,
    pub(super) patch: PatchStrategy,
    pub(super) merge_key: Option<Box<str>>,
}

/// Restrictions on values, and what is only shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) title: Option<Box<str>>,
    pub(super) external_docs: Option<Value>,
    pub(super) example: Option<Value>,
    pub(super) enumeration: Option<Vec<Value>>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) pattern: Option<Pattern>,
    pub(super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
    /// `x-kubernetes-validations`, not evaluated.
    pub(super) validations: Option<Value>,
}

/// A regular expression, compiled when it is first needed.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            compiled: OnceLock::new(),
        }
    }

    /// `None` if the expression is not one.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| Regex::new(&self.text).ok())
            .as_ref()
    }
}

const NO_RULES: &Rules = &Rules {
    title: None,
    external_docs: None,
    example: None,
    enumeration: None,
    minimum: None,
    maximum: None,
    exclusive_minimum: false,
    exclusive_maximum: false,
    multiple_of: None,
    min_length: None,
    max_length: None,
    min_items: None,
    max_items: None,
    min_properties: None,
    max_properties: None,
    pattern: None,
    all_of: Vec::new(),
    any_of: Vec::new(),
    one_of: Vec::new(),
    not: None,
    validations: None,
};

impl Schema {
    /// The referred type, if the node refers to one.
    fn target(&self) -> Option<&Schema> {
        self.reference.as_ref().map(Reference::target)
    }

    /// The schema of a declared property; `None` also if only [`Schema::additional`] would cover it.
    pub fn property(&self, name: &str) -> Option<&Schema> {
        match self
            .properties
            .binary_search_by(|(key, _)| (**key).cmp(name))
        {
            Ok(at) => self.properties.get(at).map(|(_, schema)| schema),
            Err(_) => self.target().and_then(|target| target.property(name)),
        }
    }

    /// All declared properties. Sorted by name, unless the node adds to a referred type (then its own come first).
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Schema)> {
        let own = &self.properties;
        let inherited = self.target().map_or(&[][..], |target| &target.properties);
        own.iter()
            .chain(
                inherited.iter().filter(move |(name, _)| {
                    own.binary_search_by(|(key, _)| key.cmp(name)).is_err()
                }),
            )
            .map(|(name, schema)| (&**name, schema))
    }

    /// The schema of the values of a map (`additionalProperties`). Without restriction if it was `true`.
    pub fn additional(&self) -> Option<&Schema> {
        match &self.additional {
            Some(schema) => Some(schema),
            None => self.target().and_then(Schema::additional),
        }
    }

    /// The schema of a field of an object: the declared property, else that of the map's values.
    pub fn child(&self, name: &str) -> Option<&Schema> {
        self.property(name).or_else(|| self.additional())
    }

    /// The schema of the items of a list.
    pub fn items(&self) -> Option<&Schema> {
        match &self.items {
            Some(schema) => Some(schema),
            None => self.target().and_then(Schema::items),
        }
    }

    /// The JSON type of values.
    pub fn value_type(&self) -> ValueType {
        if self.loose {
            return ValueType::Any;
        }
        match (self.value_type, self.target()) {
            (ValueType::Any, Some(target)) => target.value_type(),
            (own, _) => own,
        }
    }

    /// How the list merges under server-side apply.
    pub fn list_type(&self) -> ListType {
        match self.lists.as_ref().and_then(|rules| rules.list_type) {
            Some(list_type) => list_type,
            None => self.target().map(Schema::list_type).unwrap_or_default(),
        }
    }

    /// The keys of a list of type [`ListType::Map`]; empty otherwise.
    pub fn list_map_keys(&self) -> &[Box<str>] {
        match &self.lists {
            Some(rules) if !rules.map_keys.is_empty() => &rules.map_keys,
            _ => self.target().map_or(&[], Schema::list_map_keys),
        }
    }

    /// What a strategic merge patch does with the field.
    pub fn patch_strategy(&self) -> PatchStrategy {
        self.lists
            .as_ref()
            .map(|rules| rules.patch)
            .unwrap_or_default()
    }

    /// The key by which a strategic merge patch finds the items of a list of objects.
    pub fn patch_merge_key(&self) -> Option<&str> {
        self.lists
            .as_ref()
            .and_then(|rules| rules.merge_key.as_deref())
    }

    /// Is the object one value (`x-kubernetes-map-type: atomic`)?
    pub fn is_atomic_map(&self) -> bool {
        self.atomic_map || self.target().is_some_and(Schema::is_atomic_map)
    }

    /// May the value be an integer or a string (`x-kubernetes-int-or-string`)?
    pub fn is_int_or_string(&self) -> bool {
        self.int_or_string || self.target().is_some_and(Schema::is_int_or_string)
    }

    /// Are fields kept that no property describes?
    pub fn preserves_unknown_fields(&self) -> bool {
        self.preserve_unknown || self.target().is_some_and(Schema::preserves_unknown_fields)
    }

    /// Is the value a whole object with `apiVersion`, `kind` and `metadata` (`x-kubernetes-embedded-resource`)?
    pub fn is_embedded_resource(&self) -> bool {
        self.embedded
    }

    /// The upstream name of a built-in type, such as `io.k8s.api.core.v1.Pod`; `None` for other nodes.
    pub fn type_name(&self) -> Option<&'static str> {
        self.type_name
    }

    /// Is it of a built-in kind?
    pub fn is_builtin(&self) -> bool {
        self.builtin
    }

    /// The default that is filled in, if there is one.
    pub fn default_value(&self) -> Option<&Value> {
        self.default.as_deref()
    }

    /// Does any node have rules in CEL, which are not evaluated? Referred built-in types have none.
    pub fn has_cel_rules(&self) -> bool {
        let inside = |rules: &Rules| {
            rules.validations.is_some()
                || (rules.all_of.iter())
                    .chain(&rules.any_of)
                    .chain(&rules.one_of)
                    .chain(rules.not.as_deref())
                    .any(Schema::has_cel_rules)
        };
        self.rules.as_deref().is_some_and(inside)
            || self
                .properties
                .iter()
                .any(|(_, schema)| schema.has_cel_rules())
            || self
                .additional
                .as_deref()
                .is_some_and(Schema::has_cel_rules)
            || self.items.as_deref().is_some_and(Schema::has_cel_rules)
    }

    pub(super) fn rules(&self) -> &Rules {
        match (&self.rules, self.target()) {
            (Some(rules), _) => rules,
            (None, Some(target)) => target.rules(),
            (None, None) => NO_RULES,
        }
    }

    pub(super) fn format(&self) -> Option<&str> {
        match &self.format {
            Some(format) => Some(format),
            None => self.target().and_then(Schema::format),
        }
    }

    /// The required properties, those of the referred type included.
    pub(super) fn required(&self) -> impl Iterator<Item = &str> {
        let inherited = self.target().map_or(&[][..], |target| &target.required);
        self.required.iter().chain(inherited).map(|name| &**name)
    }

    /// A null that stands for an absent field: Go's decoding, or a structural schema that is not nullable.
    pub(super) fn null_is_absent(&self) -> bool {
        !self.nullable
            && (!self.builtin || self.value_type() != ValueType::Any || self.is_quantity())
    }

    pub(super) fn is_loose(&self) -> bool {
        self.loose || self.target().is_some_and(Self::is_loose)
    }

    pub(super) fn is_quantity(&self) -> bool {
        self.builtin && self.format() == Some(super::types::QUANTITY)
    }
}

/// `parent.name`, or `name` at the root.
pub(crate) fn child_path(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}
