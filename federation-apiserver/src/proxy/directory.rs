//! What the hub knows of a cluster that is asked for.

use apiserver::local::{Gvr, LocalClient};
use apiserver::status::ApiError;
use federation_api::names::{SYSTEM_NAMESPACE, split_cell_cluster};
use federation_api::{KubeFedCluster, annotations, conditions};
use federation_member::MemberAccess;
use http::StatusCode;
use k8s_openapi::api::core::v1::Secret;
use serde::de::DeserializeOwned;

use super::error::ProxyError;

const CLUSTERS: Gvr<'static> = Gvr::new("core.kubefed.io", "v1beta1", "kubefedclusters");
const SECRETS: Gvr<'static> = Gvr::new("", "v1", "secrets");

/// Where a request goes.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Name of the physical cluster.
    pub(super) physical: String,
    /// How to reach it.
    pub(super) access: MemberAccess,
    /// For a cell: the only namespace that may be asked for.
    pub(super) namespace: Option<String>,
    /// What the last probe said, unless it said that the cluster is ready.
    pub(super) health: Option<String>,
}

/// Looks a cluster up: a physical one, or the one that a cell lives in.
///
/// # Errors
/// If there is none, or what there is cannot be used.
pub(super) async fn find(hub: &LocalClient, name: &str) -> Result<Found, ProxyError> {
    let asked = cluster(hub, name)
        .await?
        .ok_or_else(|| ProxyError::UnknownCluster(name.to_owned()))?;
    let namespace = cell_namespace(name, &asked)?;
    let base = match namespace {
        None => asked,
        Some(_) => cluster(hub, asked.physical_name())
            .await?
            .ok_or_else(|| incomplete(name, "the cluster that the cell lives in is gone"))?,
    };
    if base.derived_from().is_some() {
        return Err(incomplete(name, "the cell's cluster is itself a cell"));
    }
    let secret: Option<Secret> = read(hub, SECRETS, &base.spec.secret_ref.name).await?;
    let access =
        MemberAccess::parse(&base, secret.as_ref()).map_err(|source| ProxyError::Access {
            cluster: name.to_owned(),
            source,
        })?;
    Ok(Found {
        physical: base.physical_name().to_owned(),
        access,
        namespace,
        health: health(&base),
    })
}

/// How a physical cluster is reached: what its own controller goes by.
///
/// # Errors
/// If there is no such cluster, it is a cell's, or its access data cannot be used.
pub(crate) async fn physical_access(
    hub: &LocalClient,
    name: &str,
) -> Result<MemberAccess, ApiError> {
    match find(hub, name).await {
        Ok(found) if found.physical == name => Ok(found.access),
        Ok(found) => Err(ApiError::bad_request(format!(
            "{name:?} is a cell: its cluster is {:?}",
            found.physical
        ))),
        Err(error) => Err(error.to_status()),
    }
}

/// The member namespace of a cell's cluster, `None` for a physical cluster. Both the name and the labels say which of the
/// two it is; where they disagree nothing is reachable.
fn cell_namespace(name: &str, cluster: &KubeFedCluster) -> Result<Option<String>, ProxyError> {
    match (split_cell_cluster(name), cluster.derived_from()) {
        (None, None) if !name.contains('.') => Ok(None),
        (Some(by_name), Some(by_label)) if by_name == by_label => {
            let namespace = cluster
                .metadata
                .annotations
                .as_ref()
                .and_then(|all| all.get(annotations::MEMBER_NAMESPACE))
                .filter(|namespace| !namespace.is_empty());
            let namespace = namespace
                .ok_or_else(|| incomplete(name, "the cell has no namespace in its cluster yet"))?;
            Ok(Some(namespace.clone()))
        }
        _ => Err(incomplete(
            name,
            "its name and its labels disagree on whether it is a cell's",
        )),
    }
}

fn incomplete(cluster: &str, what: &'static str) -> ProxyError {
    ProxyError::CellIncomplete {
        cluster: cluster.to_owned(),
        what,
    }
}

fn health(cluster: &KubeFedCluster) -> Option<String> {
    if cluster.is_ready() {
        return None;
    }
    let status = cluster.status.as_ref()?;
    let told = status
        .conditions
        .iter()
        .find(|c| c.type_ != conditions::READY && c.status == conditions::TRUE)
        .or(status.conditions.first())?;
    told.message.clone().or_else(|| told.reason.clone())
}

async fn cluster(hub: &LocalClient, name: &str) -> Result<Option<KubeFedCluster>, ProxyError> {
    read(hub, CLUSTERS, name).await
}

async fn read<T: DeserializeOwned>(
    hub: &LocalClient,
    gvr: Gvr<'_>,
    name: &str,
) -> Result<Option<T>, ProxyError> {
    match hub.get(gvr, SYSTEM_NAMESPACE, name).await {
        Ok(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| ProxyError::Refused(ApiError::internal(error))),
        Err(error) if error.code == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(ProxyError::Refused(error)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(
        name: &str,
        labels: serde_json::Value,
        annotations: serde_json::Value,
    ) -> KubeFedCluster {
        serde_json::from_value(json!({
            "apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "spec": {"apiEndpoint": "h", "secretRef": {"name": "s"}},
        }))
        .unwrap()
    }

    fn of(
        name: &str,
        labels: serde_json::Value,
        annotations: serde_json::Value,
    ) -> Result<Option<String>, String> {
        cell_namespace(name, &named(name, labels, annotations))
            .map_err(|error| error.to_status().message)
    }

    #[test]
    fn a_cell_is_one_by_name_and_by_labels() {
        let cell = json!({"koinon.io/cell": "a", "koinon.io/cell-namespace": "b"});
        let in_m = json!({"koinon.io/member-namespace": "m"});
        assert_eq!(of("hz-1", json!({}), json!({})), Ok(None));
        assert_eq!(
            of("a.b", cell.clone(), in_m.clone()),
            Ok(Some("m".to_owned()))
        );
        for (name, labels, annotations) in [
            ("a.b", json!({}), in_m.clone()),
            ("hz-1", cell.clone(), in_m.clone()),
            ("a.c", cell.clone(), in_m.clone()),
            ("a.b", cell.clone(), json!({})),
            (".b", json!({}), json!({})),
        ] {
            let message = of(name, labels, annotations).unwrap_err();
            assert!(message.contains("cannot be reached"), "{message}");
        }
    }
}
