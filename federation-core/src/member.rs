//! What decisions need to know of a member.

use std::collections::{BTreeMap, BTreeSet};

use federation_api::annotations;
use federation_api::kinds::{Cell, KubeFedCluster, PodPlacement};

/// A registered `KubeFedCluster`, physical or derived from a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Name of the `KubeFedCluster`.
    pub name: String,
    /// Its labels: what selectors and tenancy look at.
    pub labels: BTreeMap<String, String>,
    /// True if it can be read and written now.
    pub ready: bool,
    /// Set if it stands for a cell.
    pub cell: Option<CellFacts>,
}

/// What decisions need to know of a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellFacts {
    /// Name of the cell.
    pub name: String,
    /// Hub namespace of the cell.
    pub namespace: String,
    /// Physical cluster it lives in.
    pub cluster: String,
    /// Namespace of the physical cluster that its objects land in.
    pub member_namespace: String,
    /// What is merged into its workloads' pod templates.
    pub pod_placement: PodPlacement,
    /// Set if the cell is being deleted and its owner has said what becomes of the objects in it.
    pub leaving: Option<Leaving>,
}

/// What becomes of the objects in a cell that is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// They stay and lose their managed label.
    Orphan,
    /// They are deleted.
    Delete,
}

/// A namespace of a physical cluster.
pub type Site = (String, String);

/// The namespaces that belong to cells, of all tenants: what is in them is the cells' alone.
#[must_use]
pub fn cell_sites(members: &[Member]) -> BTreeSet<Site> {
    let cells = members.iter().filter_map(|member| member.cell.as_ref());
    cells
        .map(|cell| (cell.cluster.clone(), cell.member_namespace.clone()))
        .collect()
}

impl Leaving {
    fn of(cell: &Cell) -> Option<Self> {
        cell.metadata.deletion_timestamp.as_ref()?;
        let policy = cell
            .metadata
            .annotations
            .as_ref()?
            .get(annotations::CELL_DELETION_POLICY)?;
        match policy.as_str() {
            annotations::CELL_DELETION_ORPHAN => Some(Self::Orphan),
            annotations::CELL_DELETION_DELETE => Some(Self::Delete),
            _ => None,
        }
    }
}

impl CellFacts {
    /// The facts of a stored cell.
    #[must_use]
    pub fn of(cell: &Cell) -> Self {
        Self {
            name: cell.metadata.name.clone().unwrap_or_default(),
            namespace: cell.metadata.namespace.clone().unwrap_or_default(),
            cluster: cell.spec.cluster_ref.name.clone(),
            member_namespace: cell.member_namespace(),
            pod_placement: cell.spec.pod_placement.clone().unwrap_or_default(),
            leaving: Leaving::of(cell),
        }
    }
}

impl Member {
    /// Name of the physical cluster that the member's objects live in.
    #[must_use]
    pub fn physical(&self) -> &str {
        self.cell.as_ref().map_or(&self.name, |cell| &cell.cluster)
    }

    /// The member that `cluster` registers. For a derived cluster `cell` must be the cell it stands for; without it (the
    /// cell is gone, or not seen yet) the answer is `None`: an object must never land in a physical cluster's own
    /// namespace for want of the cell.
    #[must_use]
    pub fn of(cluster: &KubeFedCluster, cell: Option<&Cell>) -> Option<Self> {
        let cell = match (cluster.derived_from(), cell) {
            (None, _) => None,
            (Some(_), None) => return None,
            (Some((name, namespace)), Some(cell)) => {
                let facts = CellFacts::of(cell);
                if facts.name != name || facts.namespace != namespace {
                    return None;
                }
                Some(facts)
            }
        };
        Some(Self {
            name: cluster.metadata.name.clone()?,
            labels: cluster.metadata.labels.clone().unwrap_or_default(),
            ready: cluster.is_ready(),
            cell,
        })
    }
}
