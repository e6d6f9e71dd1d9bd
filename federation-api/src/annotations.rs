//! Annotation keys and values that Koinon reads or writes.

/// On a federated object, value [`ORPHAN_TRUE`]: deletion leaves the member objects in place and only removes
/// their managed label (KubeFed).
pub const ORPHAN: &str = "kubefed.io/orphan";
/// The only value of [`ORPHAN`] that has an effect.
pub const ORPHAN_TRUE: &str = "true";
/// On a federated object: JSON of `metav1.DeleteOptions` (only `gracePeriodSeconds`, `propagationPolicy` and
/// `preconditions` are read) used when its deletion deletes member objects (KubeFed).
pub const DELETE_OPTION: &str = "kubefed.io/deleteoption";

/// On a `KubeFedCluster`, value [`CONNECTION_TUNNEL`]: reach the cluster only through its agent's tunnel.
pub const CONNECTION: &str = "koinon.io/connection";
/// Value of [`CONNECTION`] that demands the tunnel.
pub const CONNECTION_TUNNEL: &str = "tunnel";

/// On a stored (v1beta1) federated object: the `spec.topologyType` of its v1 form. Absent means `cluster`. Written
/// and removed by conversion only.
pub const TOPOLOGY_TYPE: &str = "koinon.io/topology-type";
/// On a federated object of either version: what the other version could not hold, as guarded edits in JSON.
/// Written and removed by conversion only; an edited field wins over it.
pub const CONVERSION_RESIDUE: &str = "koinon.io/conversion-residue";

/// On a `Cell` that is to be deleted while objects are placed in it: what becomes of them in the member,
/// [`CELL_DELETION_ORPHAN`] or [`CELL_DELETION_DELETE`]. Without it such a deletion is refused.
pub const CELL_DELETION_POLICY: &str = "koinon.io/cell-deletion-policy";
/// Value of [`CELL_DELETION_POLICY`]: member objects stay and lose their managed label.
pub const CELL_DELETION_ORPHAN: &str = "Orphan";
/// Value of [`CELL_DELETION_POLICY`]: member objects are deleted with the cell.
pub const CELL_DELETION_DELETE: &str = "Delete";

/// On a member object: sorted, comma-separated label keys that came from the template, so that one that leaves the
/// template can be told from one that the member added and keeps.
pub const PROPAGATED_LABELS: &str = "koinon.io/propagated-labels";

/// On a derived `KubeFedCluster`: the namespace of the physical cluster that its objects land in.
pub const MEMBER_NAMESPACE: &str = "koinon.io/member-namespace";

/// On a `KubeFedCluster`: what the hub's account in the member was granted. [`GRANTS_LEAST_PRIVILEGE`], or absent for everything.
/// Only fedctl reads it: the grants themselves are the member's RBAC.
pub const GRANTS: &str = "koinon.io/grants";
/// Value of [`GRANTS`]: the kinds that were enabled when the member joined or was last granted, and nothing else.
pub const GRANTS_LEAST_PRIVILEGE: &str = "least-privilege";
