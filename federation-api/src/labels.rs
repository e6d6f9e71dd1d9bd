//! Label keys and values that Koinon reads or writes.

/// Marks a member object as Koinon's (KubeFed's label, so a takeover needs no rewrite). Member caches list only
/// objects that carry it; an object without it is never deleted.
pub const MANAGED: &str = "kubefed.io/managed";
/// Value of [`MANAGED`] on an object that is managed.
pub const MANAGED_TRUE: &str = "true";
/// Value of [`MANAGED`] by which a member's owner refuses management: the object is left alone and its status
/// says `ManagedLabelFalse`.
pub const MANAGED_FALSE: &str = "false";

/// Tenant that a hub namespace, a `KubeFedCluster` or a derived cell cluster belongs to.
pub const TENANT: &str = "koinon.io/tenant";
/// Workspace group that a hub namespace, a `KubeFedCluster` or a derived cell cluster belongs to.
pub const WORKSPACE_GROUP: &str = "koinon.io/workspace-group";

/// On a derived `KubeFedCluster`: the name of the cell it stands for. Its presence is what makes a
/// `KubeFedCluster` a derived one.
pub const CELL: &str = "koinon.io/cell";
/// On a derived `KubeFedCluster`: the hub namespace of the cell. Selectors of cell-topology objects carry it as a
/// requirement in the southbound version.
pub const CELL_NAMESPACE: &str = "koinon.io/cell-namespace";
/// On a derived `KubeFedCluster`: the name of the physical cluster that the cell lives in.
pub const CLUSTER: &str = "koinon.io/cluster";

/// On a namespace that the cell controller made in a member, and on the hub's `Cell`-owned objects: the cell as
/// `<cell>.<namespace>`.
pub const CELL_OWNER: &str = "koinon.io/cell-owner";

/// On definitions and webhook configurations whose `caBundle` the webhook of the add-on form keeps up to date.
pub const INJECT_CA: &str = "koinon.io/inject-ca";
/// The value of [`INJECT_CA`].
pub const INJECT_CA_WEBHOOK: &str = "webhook";
