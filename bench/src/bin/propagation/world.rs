//! Clients of the playground, and the kinds that are measured.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench::{Playground, Sightings};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

/// The workspace group of the playground.
pub(crate) const NAMESPACE: &str = "bank-prod";
/// Its cells and the members that they live in.
pub(crate) const CELLS: [(&str, &str); 3] =
    [("rz00a", "hz-1"), ("rz00b", "hz-1"), ("rz01a", "sh-1")];
/// Its members.
pub(crate) const MEMBERS: [&str; 2] = ["hz-1", "sh-1"];
/// Longer than anything that is not broken takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// From the end of one change to the next: the hub's status of the last one has been written by then, so that each change
/// meets a quiet system.
pub(crate) const GAP: Duration = Duration::from_millis(60);

/// Where a watch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the hub.
    Hub,
    /// In a member.
    Member,
}

/// A playground's servers.
pub(crate) struct World {
    pub(crate) hub_client: Client,
    member_clients: Vec<(&'static str, Client)>,
}

impl World {
    pub(crate) async fn connect(playground: &Playground) -> Result<Self> {
        let mut member_clients = Vec::new();
        for name in MEMBERS {
            member_clients.push((name, playground.member_client(name).await?));
        }
        Ok(Self {
            hub_client: playground.hub_client().await?,
            member_clients,
        })
    }

    pub(crate) fn member_client(&self, name: &str) -> Result<Client> {
        match self.member_clients.iter().find(|(held, _)| *held == name) {
            Some((_, member_client)) => Ok(member_client.clone()),
            None => bail!("no member {name}"),
        }
    }

    /// A kind in the workspace group on the hub.
    pub(crate) fn on_hub(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.hub_client.clone(), NAMESPACE, kind)
    }

    /// A kind in the namespace of a cell.
    pub(crate) fn in_cell(&self, cell: &str, kind: &ApiResource) -> Result<Api<DynamicObject>> {
        let (_, member) = CELLS
            .iter()
            .find(|(name, _)| *name == cell)
            .with_context(|| format!("no cell {cell}"))?;
        let member_client = self.member_client(member)?;
        Ok(Api::namespaced_with(
            member_client,
            &member_namespace(cell),
            kind,
        ))
    }

    /// Watches a federated kind on the hub, and the kind that it becomes in every member.
    pub(crate) async fn watch(
        &self,
        federated: &ApiResource,
        target: &ApiResource,
    ) -> Result<Sightings<Place>> {
        let mut sightings = Sightings::default();
        sightings
            .watch(Place::Hub, self.on_hub(federated))
            .await
            .context("watch the hub")?;
        for name in MEMBERS {
            let everywhere = Api::all_with(self.member_client(name)?, target);
            sightings
                .watch(Place::Member, everywhere)
                .await
                .with_context(|| format!("watch {name}"))?;
        }
        Ok(sightings)
    }
}

/// The namespace that a cell's objects land in.
pub(crate) fn member_namespace(cell: &str) -> String {
    format!("{NAMESPACE}-{cell}")
}

/// A kind by its API version, name and plural.
pub(crate) fn kind(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

pub(crate) fn federated_foos() -> ApiResource {
    kind("types.kubefed.io", "v1", "FederatedFoo", "federatedfoos")
}

pub(crate) fn foos() -> ApiResource {
    kind("tutorial.my.domain", "v1", "Foo", "foos")
}

pub(crate) fn federated_deployments() -> ApiResource {
    kind(
        "types.kubefed.io",
        "v1",
        "FederatedDeployment",
        "federateddeployments",
    )
}

pub(crate) fn deployments() -> ApiResource {
    kind("apps", "v1", "Deployment", "deployments")
}

/// What the hub object's status holds as the whole status of the member object in a cell.
pub(crate) fn remote_status<'a>(object: &'a DynamicObject, cell: &str) -> Option<&'a Value> {
    object.data["status"]["topologies"]
        .as_array()?
        .iter()
        .find(|entry| entry["name"] == cell)?
        .get("remoteStatus")
}
