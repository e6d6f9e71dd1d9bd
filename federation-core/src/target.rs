//! What decisions need to know of a federated type.

use federation_api::FederatedTypeConfig;
use federation_api::kinds::{Scope, UpdateStrategy};

use crate::annotation_policy::AnnotationPolicy;

/// The target kind of a type and how it is propagated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// `apiVersion` of member objects whose template says none.
    pub api_version: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// True if member objects live in namespaces.
    pub namespaced: bool,
    /// How existing member objects are brought up to date.
    pub strategy: UpdateStrategy,
    /// Which annotations are specification.
    pub annotations: AnnotationPolicy,
}

impl Target {
    /// The facts of a stored type, which need not have its defaults applied.
    #[must_use]
    pub fn of(config: &FederatedTypeConfig) -> Self {
        let mut config = config.clone();
        config.apply_defaults();
        let target = &config.spec.target_type;
        Self {
            api_version: target.api_version(),
            group: target.group().to_owned(),
            kind: target.kind.clone(),
            namespaced: target.scope == Scope::Namespaced,
            strategy: config.update_strategy(),
            annotations: AnnotationPolicy::new(
                config
                    .spec
                    .propagating_annotations
                    .as_deref()
                    .unwrap_or_default(),
            ),
        }
    }

    /// True if the target is core/v1 Namespace.
    #[must_use]
    pub fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.kind == "Namespace"
    }
}
