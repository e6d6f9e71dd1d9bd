//! Groups, versions, namespaces, and how names are made from one another.

/// Group of KubeFedCluster, FederatedTypeConfig, KubeFedConfig and the propagated-version records.
pub const CORE_GROUP: &str = "core.kubefed.io";
/// Group of the generated `Federated<Kind>` kinds.
pub const TYPES_GROUP: &str = "types.kubefed.io";
/// Group of Koinon's own kinds.
pub const KOINON_GROUP: &str = "koinon.io";

/// Northbound version of `Federated<Kind>`: topologies and mask. Sorts before v1beta1, so clients prefer it.
pub const NORTHBOUND_VERSION: &str = "v1";
/// Southbound version of `Federated<Kind>`: KubeFed's own shape, and the storage version.
pub const SOUTHBOUND_VERSION: &str = "v1beta1";
/// `apiVersion` of northbound federated objects.
pub const NORTHBOUND_API_VERSION: &str = "types.kubefed.io/v1";
/// `apiVersion` of southbound federated objects.
pub const SOUTHBOUND_API_VERSION: &str = "types.kubefed.io/v1beta1";

/// Default of the namespace that holds clusters, their Secrets, type configs and the KubeFedConfig.
pub const SYSTEM_NAMESPACE: &str = "kube-federation-system";
/// Name of the one KubeFedConfig that is used.
pub const KUBEFED_CONFIG: &str = "kubefed";
/// Name of the FederatedTypeConfig that must exist before any namespaced type is propagated (to plain clusters).
pub const NAMESPACES_TYPE_CONFIG: &str = "namespaces";
/// Key of the bearer token in a cluster's Secret.
pub const SECRET_TOKEN_KEY: &str = "token";
/// Optional key of the CA bundle in a cluster's Secret, used by `join` only.
pub const SECRET_CA_KEY: &str = "ca.crt";

/// Name of the webhook's Service, Deployment and service account in the add-on form.
pub const WEBHOOK: &str = "koinon-webhook";
/// Name of the Secret in which the webhook keeps its CA and its serving certificate.
pub const WEBHOOK_SECRET: &str = "koinon-webhook-tls";
/// Name of the ConfigMap in which the webhook publishes what API servers must trust, under [`SECRET_CA_KEY`].
pub const WEBHOOK_CA: &str = "koinon-webhook-ca";
/// Path of the webhook that converts.
pub const WEBHOOK_CONVERT: &str = "/convert";
/// Path of the webhook that validates.
pub const WEBHOOK_VALIDATE: &str = "/validate";
/// Path of the webhook that fills in defaults.
pub const WEBHOOK_MUTATE: &str = "/mutate";

/// Hub namespaces that are never federated, besides the system namespace itself.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "default"];

/// Separates a cell from its namespace in a derived cluster's name. A plain cluster's name has none.
const CELL_SEPARATOR: char = '.';

/// Name of the derived `KubeFedCluster` of cell `cell` in hub namespace `namespace`: `<cell>.<namespace>`.
#[must_use]
pub fn cell_cluster(cell: &str, namespace: &str) -> String {
    format!("{cell}{CELL_SEPARATOR}{namespace}")
}

/// Splits a derived cluster's name into cell and namespace, or `None` for a plain cluster's. Neither a cell's nor a
/// namespace's name may hold a dot, so the split is unambiguous for names that admission let in.
#[must_use]
pub fn split_cell_cluster(cluster: &str) -> Option<(&str, &str)> {
    let (cell, namespace) = cluster.split_once(CELL_SEPARATOR)?;
    (!cell.is_empty() && !namespace.is_empty()).then_some((cell, namespace))
}

/// Member namespace of a cell that sets none: `<namespace>-<cell>`.
#[must_use]
pub fn default_member_namespace(namespace: &str, cell: &str) -> String {
    format!("{namespace}-{cell}")
}

/// Name of the PropagatedVersion (or ClusterPropagatedVersion) of the federated object `name` whose target kind is
/// `target_kind`: `<lowercase kind>-<name>`. As in KubeFed it ignores the group, so same-kind types of two groups
/// collide; see `federation-core` for how that is kept harmless.
#[must_use]
pub fn propagated_version(target_kind: &str, name: &str) -> String {
    format!("{}-{name}", target_kind.to_lowercase())
}

/// Kind of the federated type of a target kind: `Federated<Kind>`.
#[must_use]
pub fn federated_kind(target_kind: &str) -> String {
    format!("Federated{target_kind}")
}

/// KubeFed's plural of a kind, lowercase: `es` after s, x, ch, sh, z and o; `ies` for a final y; `s` else.
#[must_use]
pub fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if ["s", "x", "ch", "sh", "z", "o"]
        .iter()
        .any(|end| lower.ends_with(end))
    {
        return format!("{lower}es");
    }
    match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{lower}s"),
    }
}

/// Plural that `enable` gives a new federated type: `federated<target plural>`, e.g. `federatedfoos`. It equals
/// [`plural`] of the federated kind wherever the target's own plural follows KubeFed's rule.
#[must_use]
pub fn federated_plural(target_plural: &str) -> String {
    format!("federated{target_plural}")
}

/// Name of the FederatedTypeConfig for a target: `<plural>` for the core group, else `<plural>.<group>`.
#[must_use]
pub fn type_config(target_plural: &str, target_group: &str) -> String {
    if target_group.is_empty() {
        target_plural.to_owned()
    } else {
        format!("{target_plural}.{target_group}")
    }
}

/// Splits a FederatedTypeConfig's name into target plural and group (empty for the core group).
#[must_use]
pub fn split_type_config(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or((name, ""))
}

/// Splits `apiVersion` into group (empty for the core group) and version.
#[must_use]
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// `apiVersion` of a group and version; the core group is empty.
#[must_use]
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_kubefeds() {
        for (kind, expected) in [
            ("Foo", "fooes"),
            ("FederatedIngress", "federatedingresses"),
            ("FederatedNetworkPolicy", "federatednetworkpolicies"),
            ("FederatedDeployment", "federateddeployments"),
            ("Box", "boxes"),
            ("Batch", "batches"),
            ("Mesh", "meshes"),
        ] {
            assert_eq!(plural(kind), expected);
        }
    }

    #[test]
    fn cell_names_split_back() {
        assert_eq!(cell_cluster("rz00a", "bank-prod"), "rz00a.bank-prod");
        assert_eq!(
            split_cell_cluster("rz00a.bank-prod"),
            Some(("rz00a", "bank-prod"))
        );
        assert_eq!(split_cell_cluster("hz-1"), None);
        assert_eq!(split_cell_cluster(".x"), None);
        assert_eq!(
            default_member_namespace("bank-prod", "rz00a"),
            "bank-prod-rz00a"
        );
    }

    #[test]
    fn type_config_names_split_back() {
        assert_eq!(type_config("deployments", "apps"), "deployments.apps");
        assert_eq!(
            split_type_config("ingresses.networking.k8s.io"),
            ("ingresses", "networking.k8s.io")
        );
        assert_eq!(split_type_config("configmaps"), ("configmaps", ""));
        assert_eq!(propagated_version("ConfigMap", "a"), "configmap-a");
    }
}
