//! What the playground makes on its hub and in its members, over and over: every step leaves what is there already.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use federation_api::kinds::{Cell, CellSpec, ClusterRef, FederatedTypeConfig, KubeFedCluster};
use federation_api::{annotations, labels, names, tunnel};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::json;

use super::node::Node;
use super::tunnel::{Handed, LocalAgent};
use crate::bootstrap::{self, HubTunnel};
use crate::cli::MemberArgs;
use crate::objects::ensure;
use crate::registration::{Member, Registration, all_rules};

/// The Foo type, as the examples have it.
const FOO_TYPE: &str = include_str!("../../../examples/types/foos.yaml");
/// Where client-side apply keeps what it sent.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The hub's name in the members' objects.
const HUB_NAME: &str = "koinon";
/// The tenant of the playground.
const TENANT: &str = "bank";
/// The workspace group: a hub namespace of the tenant.
pub(crate) const WORKSPACE_GROUP: &str = "bank-prod";
/// The member that is reached only through its agent's tunnel.
pub(crate) const TUNNELLED: &str = "sh-1";
/// The members, each with the region that its cells are labelled with.
pub(crate) const MEMBERS: [(&str, &str); 2] = [("hz-1", "hz"), ("sh-1", "sh")];
/// The cells and the members that they live in.
pub(crate) const CELLS: [(&str, &str); 3] =
    [("rz00a", "hz-1"), ("rz00b", "hz-1"), ("rz01a", "sh-1")];

/// How long a bootstrap token of the playground's is good.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// Registers the members, makes the workspace group and its cells, and enables Foo.
pub(crate) async fn apply(hub_client: &Client, nodes: &[Node]) -> anyhow::Result<()> {
    ensure::<Namespace>(
        &Api::all(hub_client.clone()),
        json!({"metadata": {"name": names::SYSTEM_NAMESPACE}}),
    )
    .await?;
    ensure::<Namespace>(
        &Api::all(hub_client.clone()),
        json!({"metadata": {"name": WORKSPACE_GROUP, "labels": tenancy()}}),
    )
    .await?;
    try_join_all(nodes.iter().map(|node| member(hub_client, node))).await?;
    for (name, cluster) in CELLS {
        let mut cell = Cell::new(
            name,
            CellSpec {
                cluster_ref: ClusterRef {
                    name: cluster.to_owned(),
                },
                member_namespace: None,
                pod_placement: None,
            },
        );
        let region = MEMBERS
            .iter()
            .find(|(member, _)| *member == cluster)
            .map_or("", |(_, region)| region);
        cell.metadata.labels = Some(BTreeMap::from([("region".to_owned(), region.to_owned())]));
        ensure::<Cell>(
            &Api::namespaced(hub_client.clone(), WORKSPACE_GROUP),
            serde_json::to_value(cell).context("cannot make a cell")?,
        )
        .await?;
    }
    ensure::<FederatedTypeConfig>(
        &Api::namespaced(hub_client.clone(), names::SYSTEM_NAMESPACE),
        foo_type()?,
    )
    .await
}

fn tenancy() -> serde_json::Value {
    json!({labels::TENANT: TENANT, labels::WORKSPACE_GROUP: WORKSPACE_GROUP})
}

/// The type config of the examples, marked as if kubectl had applied it: the walk through the examples applies it again.
fn foo_type() -> anyhow::Result<serde_json::Value> {
    let mut config: serde_json::Value =
        serde_saphyr::from_str(FOO_TYPE).context("cannot read examples/types/foos.yaml")?;
    let applied = format!("{config}\n");
    config["metadata"]["annotations"] = json!({LAST_APPLIED: applied});
    Ok(config)
}

/// Installs Foo in a member and registers it; on a restart its address may have changed.
async fn member(hub_client: &Client, node: &Node) -> anyhow::Result<()> {
    let crd =
        serde_json::to_value(foo_operator::crd()).context("cannot make the Foo definition")?;
    ensure::<CustomResourceDefinition>(&Api::all(node.member_client.clone()), crd).await?;
    let clusters: Api<KubeFedCluster> =
        Api::namespaced(hub_client.clone(), names::SYSTEM_NAMESPACE);
    let known = clusters
        .get_opt(&node.name)
        .await
        .context("cannot ask the hub for its clusters")?;
    let tunnelled = node.name == TUNNELLED;
    let address = match tunnelled {
        true => tunnel::API_ENDPOINT.to_owned(),
        false => node.handle.url(),
    };
    match known {
        Some(cluster)
            if cluster.spec.api_endpoint == address && cluster.wants_tunnel() == tunnelled =>
        {
            Ok(())
        }
        Some(_) => {
            let connection = tunnelled.then_some(annotations::CONNECTION_TUNNEL);
            let patch = json!({
                "metadata": {"annotations": {annotations::CONNECTION: connection}},
                "spec": {"apiEndpoint": address},
            });
            clusters
                .patch(&node.name, &PatchParams::default(), &Patch::Merge(&patch))
                .await
                .with_context(|| format!("cannot move cluster {} to {address}", node.name))?;
            Ok(())
        }
        None => {
            let region = MEMBERS
                .iter()
                .find(|(name, _)| *name == node.name)
                .map_or("", |(_, region)| region);
            let labels = BTreeMap::from([
                ("region".to_owned(), region.to_owned()),
                (labels::TENANT.to_owned(), TENANT.to_owned()),
                (
                    labels::WORKSPACE_GROUP.to_owned(),
                    WORKSPACE_GROUP.to_owned(),
                ),
            ]);
            let registration = Registration {
                name: node.name.clone(),
                secret_name: None,
                labels,
                annotations: BTreeMap::new(),
                tunnel_endpoint: tunnelled.then_some(address),
                rules: all_rules(),
            };
            let member = MemberArgs {
                name: node.name.clone(),
                cluster_kubeconfig: Some(node.kubeconfig.clone()),
                cluster_context: None,
                host_cluster_name: HUB_NAME.to_owned(),
            };
            Member::connect(&member)
                .await?
                .register(hub_client, names::SYSTEM_NAMESPACE, registration)
                .await?;
            Ok(())
        }
    }
}

/// Starts the agent of the tunnelled member. The first time, and when the cluster was registered anew, it gets a token.
pub(crate) async fn agent(
    hub_client: &Client,
    node: &Node,
    state: &Path,
) -> anyhow::Result<LocalAgent> {
    let hub_tunnel = HubTunnel::of(hub_client, names::SYSTEM_NAMESPACE).await?;
    let clusters: Api<KubeFedCluster> =
        Api::namespaced(hub_client.clone(), names::SYSTEM_NAMESPACE);
    let cluster = clusters
        .get(&node.name)
        .await
        .context("cannot ask the hub for the tunnelled cluster")?;
    let uid = cluster.metadata.uid.clone().unwrap_or_default();
    let (token_file, uid_file) = (state.join("token"), state.join("cluster-uid"));
    if std::fs::read_to_string(&uid_file).unwrap_or_default() != uid {
        let token =
            bootstrap::issue(hub_client, names::SYSTEM_NAMESPACE, &cluster, TOKEN_LIFE).await?;
        start_anew(state)
            .and_then(|()| std::fs::write(&token_file, token.expose()))
            .and_then(|()| std::fs::write(&uid_file, uid))
            .with_context(|| format!("cannot write {}", state.display()))?;
    }
    let parse = |address: &str| {
        let address = address.trim_start_matches("https://");
        address
            .parse()
            .with_context(|| format!("cannot use the address {address}"))
    };
    LocalAgent::start(
        state,
        Handed {
            hub: parse(&hub_tunnel.hubs[0])?,
            authority: hub_tunnel.authority,
            token_file,
            api_server: parse(&node.handle.url())?,
        },
    )
}

/// An empty directory that only its owner may enter: a token is put into it.
fn start_anew(directory: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// Waits until the members and cells are ready and FederatedFoo is served and propagated.
pub(crate) async fn wait(hub_client: &Client) -> anyhow::Result<()> {
    let clusters: Api<KubeFedCluster> =
        Api::namespaced(hub_client.clone(), names::SYSTEM_NAMESPACE);
    for (name, _) in MEMBERS {
        await_condition(
            clusters.clone(),
            name,
            |cluster: Option<&KubeFedCluster>| cluster.is_some_and(KubeFedCluster::is_ready),
        )
        .await
        .with_context(|| format!("cannot watch cluster {name}"))?;
    }
    let cells: Api<Cell> = Api::namespaced(hub_client.clone(), WORKSPACE_GROUP);
    for (name, _) in CELLS {
        await_condition(cells.clone(), name, |cell: Option<&Cell>| {
            cell.is_some_and(cell_ready)
        })
        .await
        .with_context(|| format!("cannot watch cell {name}"))?;
    }
    let crds: Api<CustomResourceDefinition> = Api::all(hub_client.clone());
    await_condition(
        crds,
        "federatedfoos.types.kubefed.io",
        conditions::is_crd_established(),
    )
    .await
    .context("cannot watch the FederatedFoo definition")?;
    let types: Api<FederatedTypeConfig> =
        Api::namespaced(hub_client.clone(), names::SYSTEM_NAMESPACE);
    await_condition(
        types,
        "foos.tutorial.my.domain",
        |config: Option<&FederatedTypeConfig>| config.is_some_and(type_running),
    )
    .await
    .context("cannot watch the Foo type")?;
    Ok(())
}

fn cell_ready(cell: &Cell) -> bool {
    cell.status.as_ref().is_some_and(|status| {
        status.conditions.iter().any(|c| {
            c.type_ == federation_api::conditions::READY
                && c.status == federation_api::conditions::TRUE
        })
    })
}

fn type_running(config: &FederatedTypeConfig) -> bool {
    config.status.as_ref().is_some_and(|s| {
        s.propagation_controller == Some(federation_api::kinds::ControllerState::Running)
    })
}
