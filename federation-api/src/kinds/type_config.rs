//! `FederatedTypeConfig`: that a kind is federated, and how.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names;

/// Which target kind is propagated, through which federated kind, and how.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "core.kubefed.io",
    version = "v1beta1",
    kind = "FederatedTypeConfig",
    plural = "federatedtypeconfigs",
    shortname = "ftc",
    namespaced,
    status = "FederatedTypeConfigStatus",
    derive = "PartialEq",
    doc = "FederatedTypeConfig enables the propagation of one kind to the member clusters. It is named <plural>.<group> after the kind."
)]
#[serde(rename_all = "camelCase")]
pub struct FederatedTypeConfigSpec {
    /// The kind that is propagated to member clusters.
    pub target_type: ApiResource,
    /// Whether propagation of the kind to member clusters is on: Enabled or Disabled.
    pub propagation: Switch,
    /// The federated kind whose objects hold template, placement and overrides.
    pub federated_type: ApiResource,
    /// The kind that holds collected status, where a kind of its own does (legacy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_type: Option<ApiResource>,
    /// Whether the status of member objects is collected: Enabled or Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_collection: Option<Switch>,
    /// Annotation keys of the target kind that are specification, as globs (`service.beta.kubernetes.io/*`): taken from the template,
    /// enforced in members, and removed there when they leave the template. All other keys belong to the member. Without the list no annotation is propagated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagating_annotations: Option<Vec<String>>,
    /// How existing member objects are brought up to date: Update (the template is the whole truth, less the retained fields; the default),
    /// ServerSideApply (only the template's fields are owned) or CreateOnly (never updated).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
}

/// A kind as the discovery API names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiResource {
    /// API group of the kind; empty for the core group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Version of the kind.
    #[serde(default)]
    pub version: String,
    /// Kind, in CamelCase.
    #[serde(default)]
    pub kind: String,
    /// Lowercase plural name of the kind.
    #[serde(default)]
    pub plural_name: String,
    /// Whether objects of the kind are Namespaced or Cluster scoped.
    pub scope: Scope,
}

impl ApiResource {
    /// Group, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or_default()
    }

    /// `apiVersion` of the kind's objects.
    #[must_use]
    pub fn api_version(&self) -> String {
        names::api_version(self.group(), &self.version)
    }

    /// True if objects live in namespaces.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }
}

/// Where objects of a kind live, or what a control plane watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everywhere.
    Cluster,
    /// In namespaces.
    #[default]
    Namespaced,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Switch {
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// How existing member objects are brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateStrategy {
    /// Full replacement: the template is the whole truth, less the retained fields.
    #[default]
    Update,
    /// Server-side apply: only the fields of the template are owned.
    ServerSideApply,
    /// Created once and never updated.
    CreateOnly,
}

/// Whether a controller of a type runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControllerState {
    /// It runs.
    Running,
    /// It does not.
    NotRunning,
}

/// Gives an enum of words the schema of a plain string: as in KubeFed its rule lives in admission, which names the
/// allowed values.
macro_rules! string_schema {
    ($($name:ident),+) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string"})
            }
        }
    )+};
}
string_schema!(Scope, Switch, UpdateStrategy, ControllerState);

/// What the type controller did with the type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FederatedTypeConfigStatus {
    /// ObservedGeneration is the generation as observed by the controller.
    pub observed_generation: i64,
    /// Whether the propagation controller of the type runs: Running or NotRunning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation_controller: Option<ControllerState>,
    /// Whether the status controller of the type runs: Running or NotRunning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_controller: Option<ControllerState>,
    /// Why the type does not run, in a sentence. Koinon's addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl FederatedTypeConfig {
    /// Fills in KubeFed's in-memory defaults: target plural and group from the object's name, federated plural from
    /// its kind, group and version of the status type from the federated type. The stored object is not changed by
    /// it; every reader applies it after reading.
    pub fn apply_defaults(&mut self) {
        let name = self.metadata.name.clone().unwrap_or_default();
        let (plural, group) = names::split_type_config(&name);
        let target = &mut self.spec.target_type;
        if target.plural_name.is_empty() {
            target.plural_name = plural.to_owned();
        }
        if target.group.is_none() && !group.is_empty() {
            target.group = Some(group.to_owned());
        }
        let federated = &mut self.spec.federated_type;
        if federated.plural_name.is_empty() {
            federated.plural_name = names::plural(&federated.kind);
        }
        if let Some(status) = &mut self.spec.status_type {
            if status.plural_name.is_empty() {
                status.plural_name = names::plural(&status.kind);
            }
            if status.group.is_none() {
                status.group.clone_from(&federated.group);
            }
            if status.version.is_empty() {
                status.version.clone_from(&federated.version);
            }
        }
    }

    /// True if propagation is on.
    #[must_use]
    pub fn propagation_enabled(&self) -> bool {
        self.spec.propagation == Switch::Enabled
    }

    /// True if this is the type of namespaces.
    #[must_use]
    pub fn is_namespace(&self) -> bool {
        self.metadata.name.as_deref() == Some(names::NAMESPACES_TYPE_CONFIG)
    }

    /// True if federated objects of the type live in namespaces: all namespaced targets, and FederatedNamespace,
    /// which lives in the namespace it stands for.
    #[must_use]
    pub fn federated_is_namespaced(&self) -> bool {
        self.spec.target_type.is_namespaced() || self.is_namespace()
    }

    /// How existing member objects are brought up to date, with the default filled in.
    #[must_use]
    pub fn update_strategy(&self) -> UpdateStrategy {
        self.spec.update_strategy.unwrap_or_default()
    }
}
