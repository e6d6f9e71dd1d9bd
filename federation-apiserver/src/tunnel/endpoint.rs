//! The tunnel's port, from its authority to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use apiserver::api::Api;
use apiserver::local::LocalClient;
use apiserver::status::ApiError;
use federation_api::names::SYSTEM_NAMESPACE;
use federation_api::tunnel::{CA_HASH_KEY, CA_KEY, CONFIG_MAP, HUB_KEY};
use federation_tunnel::identity::Authority;
use federation_tunnel::konnectivity::{Agents, AgentsConfig};
use federation_tunnel::{
    HostPort, HubConfig, PeerLinks, Seams, TcpConnector, Tunnels, TunnelsError,
};
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::accounts::HandedIn;
use super::authority::{self, AuthorityStoreError};
use super::directory::HubDirectory;
use super::fronts::{FrontError, Fronts};
use super::hub_tunnels::HubTunnels;
use super::objects::{CONFIG_MAPS, get};
use super::peers::PeerKeeper;
use super::tokens::SecretTokens;
use super::{sweep, watch};

/// Who the tunnel's own writes are recorded as.
const USER: &str = "system:koinon:tunnel";

/// The tunnel did not come up.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// Its authority cannot be had.
    #[error("the tunnel has no certificate authority")]
    Authority(#[source] AuthorityStoreError),
    /// It cannot be listened on.
    #[error("the tunnel's address cannot be used")]
    Address(#[source] std::io::Error),
    /// The endpoint itself.
    #[error("the tunnel's endpoint cannot be made")]
    Endpoint(#[source] TunnelsError),
    /// Clients cannot come in.
    #[error("a front end of the tunnel cannot be opened")]
    Front(#[source] FrontError),
    /// How to reach it cannot be said.
    #[error("configmap {CONFIG_MAP} cannot be written")]
    Publish(#[source] ApiError),
}

/// What a tunnel's endpoint can be told.
#[derive(Clone, Debug)]
pub struct TunnelOptions {
    /// Names this process to agents and to the hub's other processes.
    pub name: String,
    /// The addresses that agents are told: of this process, of all of them, or of a load balancer that passes TLS through. Empty: the
    /// address that is listened on.
    pub advertise: Vec<HostPort>,
    /// How many servers konnectivity's agents are told of.
    pub server_count: usize,
    /// Where the hub's other processes reach this one; `None`: there are no others.
    pub peer_address: Option<HostPort>,
    /// Where clients come in besides the hub's API.
    pub fronts: Fronts,
}

impl TunnelOptions {
    /// A tunnel of one process, without front ends.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            advertise: Vec::new(),
            server_count: 1,
            peer_address: None,
            fronts: Fronts::default(),
        }
    }
}

/// A running endpoint. Dropping it ends it at once; [`TunnelEndpoint::shutdown`] does so in order.
#[derive(Debug)]
pub struct TunnelEndpoint {
    tunnels: Tunnels,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// They end by being aborted.
    fronts: JoinSet<()>,
}

impl TunnelEndpoint {
    /// Opens the tunnels of a hub whose server runs, and lets the rest of the hub find them.
    ///
    /// # Errors
    /// See [`TunnelError`]. Nothing runs then.
    pub async fn start(
        api: &Api,
        hub_tunnels: &HubTunnels,
        listener: TcpListener,
        options: TunnelOptions,
    ) -> Result<Self, TunnelError> {
        let seams = Seams::system();
        let hub = LocalClient::new(api.clone(), USER);
        let address = listener.local_addr().map_err(TunnelError::Address)?;
        let authority = authority::open(&hub, &seams)
            .await
            .map_err(TunnelError::Authority)?;
        let authority = Arc::new(authority);
        let advertise = advertised(&options, address);
        publish(&hub, &authority, &advertise)
            .await
            .map_err(TunnelError::Publish)?;
        let agents = Agents::new(AgentsConfig {
            server_count: options.server_count,
            ..AgentsConfig::new(&options.name)
        });
        let config = HubConfig {
            name: options.name.clone(),
            hosts: advertise.iter().map(|at| at.host().to_string()).collect(),
            ..HubConfig::default()
        };
        let tunnels = Tunnels::new(
            config,
            authority,
            Arc::new(HubDirectory::new(api.cache.clone())),
            Arc::new(SecretTokens(hub.clone())),
            &seams,
        )
        .map_err(TunnelError::Endpoint)?;
        tunnels.serve_upstream_agents(agents);
        tunnels.set_accounts(Arc::new(HandedIn(hub.clone())));
        let mut fronts = JoinSet::new();
        options
            .fronts
            .open(&tunnels, &mut fronts)
            .await
            .map_err(TunnelError::Front)?;
        hub_tunnels.set(tunnels.clone());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        if let Some(address) = options.peer_address {
            let links = PeerLinks::new(&tunnels, Arc::new(TcpConnector::default()));
            tunnels.set_peers(Arc::new(links.clone()));
            let keeper = PeerKeeper::new(hub.clone(), links, &options.name, address);
            tasks.spawn(keeper.run(stop.clone()));
        }
        tasks.spawn(sweep::run(hub, stop.clone()));
        let (serving, stopped) = (tunnels.clone(), stop.clone());
        tasks.spawn(async move { serving.serve(listener, stopped).await });
        tasks.spawn(watch::follow(
            api.cache.clone(),
            tunnels.clone(),
            stop.clone(),
        ));
        tracing::info!(%address, "the tunnel takes agents");
        Ok(Self {
            tunnels,
            address,
            stop,
            tasks,
            fronts,
        })
    }

    /// Where agents connect, as this machine sees it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The tunnels.
    #[must_use]
    pub fn tunnels(&self) -> &Tunnels {
        &self.tunnels
    }

    /// Ends it in order: agents are asked to come back elsewhere, each at its own moment within `spread`; streams that are open may go on for
    /// `grace`. To be called before the server itself is shut down.
    pub async fn shutdown(mut self, spread: Duration, grace: Duration) {
        self.tunnels.drain(spread, grace).await;
        self.stop.cancel();
        self.fronts.shutdown().await;
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What agents are told: what was given, or where we listen, which on all addresses means this machine.
fn advertised(options: &TunnelOptions, mut address: SocketAddr) -> Vec<HostPort> {
    if !options.advertise.is_empty() {
        return options.advertise.clone();
    }
    if address.ip().is_unspecified() {
        tracing::warn!(
            "nobody said where agents reach the tunnel: they will be told this machine's loopback address"
        );
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    // An address and a port that are listened on are always well-formed.
    address.to_string().parse().into_iter().collect()
}

/// Says how agents reach the hub, for `fedctl join --tunnel`.
async fn publish(
    hub: &LocalClient,
    authority: &Authority,
    advertise: &[HostPort],
) -> Result<(), ApiError> {
    let hubs: Vec<String> = advertise.iter().map(ToString::to_string).collect();
    let data = json!({
        HUB_KEY: hubs.join("\n"),
        CA_KEY: authority.certificate_pem(),
        CA_HASH_KEY: authority.pin().to_string(),
    });
    loop {
        let written = match get(hub, CONFIG_MAPS, CONFIG_MAP).await? {
            Some(held) if held["data"] == data => return Ok(()),
            Some(mut held) => {
                held["data"] = data.clone();
                hub.update(CONFIG_MAPS, &held).await
            }
            None => {
                let new = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": CONFIG_MAP, "namespace": SYSTEM_NAMESPACE},
                    "data": data,
                });
                hub.create(CONFIG_MAPS, SYSTEM_NAMESPACE, &new).await
            }
        };
        match written {
            Ok(_) => return Ok(()),
            // Another process was faster: look again.
            Err(error) if error.code == StatusCode::CONFLICT => {}
            Err(error) => return Err(error),
        }
    }
}
