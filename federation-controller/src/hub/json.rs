//! Any Kubernetes object, kept as the JSON it came as.

use std::borrow::Cow;

use kube::Resource;
use kube::api::{Api, ObjectMeta};
use kube::core::{ApiResource, DynamicResourceScope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// An object as JSON. Decisions read JSON; nothing is gained by parsing kinds that are not known beforehand.
///
/// As [`Resource`] it shows only name, namespace and resource version, as they were when it was read.
#[derive(Clone, Debug)]
pub struct JsonObject {
    value: Value,
    identity: ObjectMeta,
}

impl JsonObject {
    /// Takes an object over.
    #[must_use]
    pub fn new(value: Value) -> Self {
        let text = |field: &str| Some(value.get("metadata")?.get(field)?.as_str()?.to_owned());
        let identity = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Self { value, identity }
    }

    /// The object.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The object, for trimming. Identity and version must not be changed.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// Part of the object, e.g. `/metadata/generation`.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    /// `metadata.uid`, empty if there is none.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.at("/metadata/uid")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// True if deletion was asked for.
    #[must_use]
    pub fn is_deleting(&self) -> bool {
        self.at("/metadata/deletionTimestamp")
            .is_some_and(|time| !time.is_null())
    }

    /// A collection of such objects: of one namespace, or of all.
    #[must_use]
    pub fn api(client: kube::Client, resource: &ApiResource, namespace: Option<&str>) -> Api<Self> {
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, resource),
            None => Api::all_with(client, resource),
        }
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

impl Resource for JsonObject {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.identity
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.identity
    }
}
