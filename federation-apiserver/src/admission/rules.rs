//! Which rules a write must obey, whichever door it comes through.

use apiserver::status::ApiError;
use federation_api::names::{CORE_GROUP, KOINON_GROUP, TYPES_GROUP, cell_cluster};
use federation_api::{Cell, KubeFedCluster, labels};
use federation_core::conversion::Version;
use federation_core::validate::{self, Snapshot, Verdict};
use serde_json::Value;

use super::{Facts, cells, findings};

/// The kinds of ours that have rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruled {
    Cluster,
    TypeConfig,
    Config,
    Cell,
    Federated,
}

/// What of the facts a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// Cells, clusters and the labels of the namespace.
    Topology,
    /// Those, and the federated objects of the namespace.
    Placed,
}

impl Ruled {
    /// The rules of a kind, if it has any.
    pub(crate) fn of(group: &str, kind: &str) -> Option<Self> {
        match (group, kind) {
            (CORE_GROUP, "KubeFedCluster") => Some(Self::Cluster),
            (CORE_GROUP, "FederatedTypeConfig") => Some(Self::TypeConfig),
            (CORE_GROUP, "KubeFedConfig") => Some(Self::Config),
            (KOINON_GROUP, "Cell") => Some(Self::Cell),
            (TYPES_GROUP, _) => Some(Self::Federated),
            _ => None,
        }
    }

    /// What a door must be able to answer before it asks about a write.
    pub(crate) fn needs(self, request: &Request<'_>) -> Needs {
        if !request.subresource.is_empty() {
            return Needs::Nothing;
        }
        match (self, request.action) {
            (Self::Cell, Action::Delete) => Needs::Placed,
            (_, Action::Delete) | (Self::TypeConfig | Self::Config, _) => Needs::Nothing,
            (Self::Cluster | Self::Cell | Self::Federated, _) => Needs::Topology,
        }
    }
}

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
}

/// A write that is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) action: Action,
    pub(crate) group: &'a str,
    pub(crate) kind: &'a str,
    /// The resource, for messages.
    pub(crate) plural: &'a str,
    /// `status` or another; empty for the object itself.
    pub(crate) subresource: &'a str,
    /// Empty for cluster-scoped objects.
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// As the client wrote it and in its version; `None` on delete.
    pub(crate) object: Option<&'a Value>,
    /// The stored object in the same version; `None` on create.
    pub(crate) old: Option<&'a Value>,
}

/// What came out.
#[derive(Clone, Debug)]
pub(crate) struct Reviewed {
    /// For the client, whatever the outcome.
    pub(crate) warnings: Vec<String>,
    /// Whether the write goes on.
    pub(crate) outcome: Result<(), ApiError>,
}

impl Reviewed {
    /// Is there anything that the latest facts might not say? Facts that may be behind are enough to agree, and for nothing else.
    pub(crate) fn has_findings(&self) -> bool {
        self.outcome.is_err() || !self.warnings.is_empty()
    }
}

/// Judges a write.
pub(crate) fn review(ruled: Ruled, request: &Request<'_>, facts: &dyn Facts) -> Reviewed {
    let verdict = match request.object {
        Some(object) => judge(ruled, request, object, facts),
        None if ruled == Ruled::Cell && request.subresource.is_empty() => {
            return Reviewed {
                warnings: Vec::new(),
                outcome: cells::may_be_deleted(facts, request),
            };
        }
        None => Verdict::default(),
    };
    Reviewed {
        outcome: findings::answer(request, &verdict.errors),
        warnings: verdict.warnings,
    }
}

fn judge(ruled: Ruled, request: &Request<'_>, object: &Value, facts: &dyn Facts) -> Verdict {
    if request.subresource == "status" {
        return match ruled {
            Ruled::Cluster => validate::kubefed_cluster_status(object),
            Ruled::TypeConfig => validate::federated_type_config_status(object),
            Ruled::Config | Ruled::Cell | Ruled::Federated => Verdict::default(),
        };
    }
    // Whoever takes a finalizer or a label off must not be stopped by a rule that is younger than the object.
    if request.old.is_some_and(|old| {
        old["spec"] == object["spec"]
            && (ruled != Ruled::Federated || validate::converts_alike(old, object))
    }) {
        return Verdict::default();
    }
    match ruled {
        Ruled::Cluster => validate::kubefed_cluster(object, is_derived(request, object, facts)),
        Ruled::TypeConfig => validate::federated_type_config(object),
        Ruled::Config => validate::kubefed_config(object, request.old),
        Ruled::Cell => with_snapshot(request, facts, |snapshot| {
            validate::cell(object, request.old, snapshot)
        }),
        Ruled::Federated => {
            let api_version = object["apiVersion"].as_str().unwrap_or_default();
            let Some(version) = Version::of(api_version) else {
                return Verdict::default();
            };
            with_snapshot(request, facts, |snapshot| {
                validate::federated(object, version, !request.namespace.is_empty(), snapshot)
            })
        }
    }
}

/// Does the cluster stand for a cell? Its labels and its name must agree, and the cell must exist (or have existed,
/// for a cluster that is stored already).
fn is_derived(request: &Request<'_>, object: &Value, facts: &dyn Facts) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key].as_str();
    let (Some(cell), Some(namespace)) = (label(labels::CELL), label(labels::CELL_NAMESPACE)) else {
        return false;
    };
    cell_cluster(cell, namespace) == request.name
        && (request.action == Action::Update || facts.has_cell(namespace, cell))
}

fn with_snapshot(
    request: &Request<'_>,
    facts: &dyn Facts,
    judge: impl FnOnce(&Snapshot<'_>) -> Verdict,
) -> Verdict {
    let clusters: Vec<KubeFedCluster> = facts.clusters();
    let cells: Vec<Cell> = facts.cells();
    let namespace_labels = facts.namespace_labels(request.namespace);
    judge(&Snapshot {
        clusters: &clusters,
        cells: &cells,
        namespace_labels: namespace_labels.as_ref(),
    })
}
