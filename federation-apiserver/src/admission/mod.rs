//! Admission of what users write on the hub.
//!
//! One plugin; which rules it asks depends on the kind. The rules are `federation_core::validate`'s and pure; here they
//! get the objects that they look at besides ([`Facts`]), and their findings become answers. A cell's deletion is
//! guarded here ([`cells`]). Built-in kinds pass untouched.

mod cells;
mod facts;
mod findings;

use std::sync::Arc;

use apiserver::admit::{Admission, Attributes, Operation};
use apiserver::cache::Cache;
use apiserver::kinds::{Kind, Registry};
use apiserver::status::ApiError;
use async_trait::async_trait;
use facts::Facts;
use federation_api::kinds::KubeFedConfigSpec;
use federation_api::names::{CORE_GROUP, KOINON_GROUP, TYPES_GROUP, cell_cluster};
use federation_api::{Cell, KubeFedCluster, labels};
use federation_core::conversion::Version;
use federation_core::validate::{self, Snapshot, Verdict};
use serde_json::Value;

/// The kinds of ours that have rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ruled {
    Cluster,
    TypeConfig,
    Config,
    Cell,
    Federated,
}

impl Ruled {
    fn of(kind: &Kind) -> Option<Self> {
        match (&*kind.group, &*kind.kind) {
            (CORE_GROUP, "KubeFedCluster") => Some(Self::Cluster),
            (CORE_GROUP, "FederatedTypeConfig") => Some(Self::TypeConfig),
            (CORE_GROUP, "KubeFedConfig") => Some(Self::Config),
            (KOINON_GROUP, "Cell") => Some(Self::Cell),
            (TYPES_GROUP, _) => Some(Self::Federated),
            _ => None,
        }
    }
}

/// The hub's plugin.
#[derive(Clone, Debug)]
pub(crate) struct FederationAdmission {
    facts: Facts,
}

impl FederationAdmission {
    /// A plugin that looks things up in a server's cache.
    pub(crate) fn new(cache: Cache, registry: Arc<Registry>) -> Self {
        Self {
            facts: Facts::new(cache, registry),
        }
    }

    fn judge(&self, ruled: Ruled, attributes: &Attributes<'_>, object: &Value) -> Verdict {
        if attributes.subresource == "status" {
            return match ruled {
                Ruled::Cluster => validate::kubefed_cluster_status(object),
                Ruled::TypeConfig => validate::federated_type_config_status(object),
                Ruled::Config | Ruled::Cell | Ruled::Federated => Verdict::default(),
            };
        }
        // Whoever takes a finalizer or a label off must not be stopped by a rule that is younger than the object.
        if attributes
            .old
            .is_some_and(|old| old["spec"] == object["spec"])
        {
            return Verdict::default();
        }
        match ruled {
            Ruled::Cluster => {
                validate::kubefed_cluster(object, self.is_derived(attributes, object))
            }
            Ruled::TypeConfig => validate::federated_type_config(object),
            Ruled::Config => validate::kubefed_config(object, attributes.old),
            Ruled::Cell => self.with_snapshot(attributes, |snapshot| {
                validate::cell(object, attributes.old, snapshot)
            }),
            Ruled::Federated => {
                let api_version = attributes.kind.api_version(&attributes.version.name);
                let Some(version) = Version::of(&api_version) else {
                    return Verdict::default();
                };
                let namespaced = attributes.kind.namespaced();
                self.with_snapshot(attributes, |snapshot| {
                    validate::federated(object, version, namespaced, snapshot)
                })
            }
        }
    }

    /// Does the cluster stand for a cell? Its labels and its name must agree, and the cell must exist (or have existed,
    /// for a cluster that is stored already).
    fn is_derived(&self, attributes: &Attributes<'_>, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        let (Some(cell), Some(namespace)) = (label(labels::CELL), label(labels::CELL_NAMESPACE))
        else {
            return false;
        };
        cell_cluster(cell, namespace) == attributes.name
            && (attributes.operation == Operation::Update || self.facts.has_cell(namespace, cell))
    }

    fn with_snapshot(
        &self,
        attributes: &Attributes<'_>,
        judge: impl FnOnce(&Snapshot<'_>) -> Verdict,
    ) -> Verdict {
        let clusters: Vec<KubeFedCluster> = self.facts.clusters();
        let cells: Vec<Cell> = self.facts.cells();
        let namespace_labels = self.facts.namespace_labels(attributes.namespace);
        judge(&Snapshot {
            clusters: &clusters,
            cells: &cells,
            namespace_labels: namespace_labels.as_ref(),
        })
    }
}

#[async_trait]
impl Admission for FederationAdmission {
    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut Value,
    ) -> Result<(), ApiError> {
        if Ruled::of(attributes.kind) == Some(Ruled::Config)
            && attributes.operation == Operation::Create
        {
            default_config(object);
        }
        Ok(())
    }

    async fn validate(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&Value>,
    ) -> Result<(), ApiError> {
        let Some(ruled) = Ruled::of(attributes.kind) else {
            return Ok(());
        };
        match object {
            Some(object) => findings::answer(attributes, self.judge(ruled, attributes, object)),
            None if ruled == Ruled::Cell => cells::may_be_deleted(&self.facts, attributes),
            None => Ok(()),
        }
    }
}

/// Fills in KubeFed's defaults. A spec that is no config is left for validation to refuse.
fn default_config(object: &mut Value) {
    let Ok(mut spec) = serde_json::from_value::<KubeFedConfigSpec>(object["spec"].clone()) else {
        return;
    };
    spec.apply_defaults();
    if let Ok(spec) = serde_json::to_value(spec) {
        object["spec"] = spec;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_gets_its_defaults_and_keeps_what_it_says() {
        let mut config = json!({"spec": {"scope": "Cluster",
            "leaderElect": {"leaseDuration": "30s"}}});
        default_config(&mut config);
        assert_eq!(config["spec"]["leaderElect"]["leaseDuration"], "30s");
        assert_eq!(config["spec"]["clusterHealthCheck"]["failureThreshold"], 3);
        let mut nonsense = json!({"spec": {"scope": 5}});
        default_config(&mut nonsense);
        assert_eq!(nonsense, json!({"spec": {"scope": 5}}));
    }
}
