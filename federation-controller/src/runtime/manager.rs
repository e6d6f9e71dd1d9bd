//! Runs everything: waits to lead, leads, stops.

use std::sync::Arc;

use federation_api::KubeFedConfig;
use federation_api::kinds::KubeFedConfigSpec;
use federation_api::names;
use kube::api::Api;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::leader::{Election, ElectionError};
use super::{ControllerConfig, Settings};
use crate::admin::{AdminError, AdminServer, Readiness};
use crate::cells::CellController;
use crate::clients::{self, ConnectError, Failure, Fence, GuardLayer, TlsChecks, chain};
use crate::context::Context;
use crate::events::Recorder;
use crate::hub_views::HubViews;
use crate::members::connect::{Connector, Ways};
use crate::members::tunnel::Tunnels;
use crate::members::{Members, RemoteTunnels, tell_of_tunnels};
use crate::metrics::Metrics;
use crate::propagation::Records;
use crate::types::TypeController;
use crate::work::{Backoff, Env, Limiter, OwnedTask, Queue};

/// Name of the Lease, in the system namespace (KubeFed's name).
const LEASE: &str = "kubefed-controller-manager";
/// Things on the hub that may change before a slow listener must look at everything again.
const CHANGE_BACKLOG: usize = 1024;

/// Why the controller ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The hub's configuration is unusable.
    #[error("the hub cannot be reached with this configuration")]
    Hub(#[from] ConnectError),
    /// Health or metrics cannot be served.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// This process does not lead any more. Nothing was written since; start again to stand by.
    #[error("leading ended")]
    Lost(#[from] ElectionError),
}

/// Runs the controller against the hub until `shutdown`. Flow: reads the KubeFedConfig, waits for the lease, reads what
/// earlier leaders recorded, then runs all reconcilers. Failing requests are retried for ever; they never end it.
///
/// On shutdown all work stops at once and the lease is given back; the work is level-triggered, so the next leader
/// finds what is left to do. Dropping the future stops everything too, but leaves the lease to expire.
///
/// # Errors
/// If settings are unusable or the lease is lost.
pub async fn run(
    config: ControllerConfig,
    hub_config: kube::Config,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let env = Env::default();
    let tunnels = RemoteTunnels::new(&hub_config, env.clone())?;
    let ways = Arc::new(Ways::new(Arc::new(tunnels)));
    run_with(config, hub_config, shutdown, ways, env).await
}

/// [`run`], with the tunnels of a hub that is in this process.
///
/// # Errors
/// As [`run`].
pub async fn run_beside(
    config: ControllerConfig,
    hub_config: kube::Config,
    shutdown: CancellationToken,
    tunnels: Arc<dyn Tunnels>,
) -> Result<(), RunError> {
    let ways = Arc::new(Ways::new(tunnels));
    run_with(config, hub_config, shutdown, ways, Env::default()).await
}

/// [`run`] with its seams: how members are reached, time and chance.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_with(
    config: ControllerConfig,
    hub_config: kube::Config,
    shutdown: CancellationToken,
    connector: Arc<dyn Connector>,
    env: Env,
) -> Result<(), RunError> {
    let fence = if config.leader_elect {
        Fence::closed()
    } else {
        Fence::open()
    };
    let guard = |fence: Fence| GuardLayer {
        limiter: Arc::new(Limiter::new(config.hub_rate)),
        fence,
        timeout: config.request_timeout,
    };
    let hub_client = clients::connect(&hub_config, TlsChecks::default(), &guard(fence.clone()))?;
    let lease_client = clients::connect(&hub_config, TlsChecks::default(), &guard(Fence::open()))?;
    let (metrics, readiness) = (Metrics::default(), Readiness::default());
    let _admin = serve_admin(&config, &metrics, &readiness).await?;
    let work = async {
        let stored = read_config(&hub_client, &config.namespace, &env).await;
        let settings = Settings::new(&config, stored);
        readiness.set(true);
        let leading = Leading {
            hub_client: hub_client.clone(),
            config: &config,
            settings: settings.clone(),
            connector,
            fence: fence.clone(),
            env: env.clone(),
            metrics: metrics.clone(),
        };
        if !config.leader_elect {
            metrics.leads(true);
            leading.lead().await;
            return Ok(());
        }
        let identity = format!("{}_{}", hostname(), env.tag());
        let mut election = Election::new(
            lease_client,
            &config.namespace,
            LEASE,
            &identity,
            settings.elect,
            fence.clone(),
            env.clone(),
        );
        stand(&mut election, leading, &shutdown, &metrics).await
    };
    tokio::select! {
        result = work => result,
        () = shutdown.cancelled(), if !config.leader_elect => Ok(()),
    }
}

/// Stands for election, leads, and gives the lease back at shutdown.
async fn stand(
    election: &mut Election,
    leading: Leading<'_>,
    shutdown: &CancellationToken,
    metrics: &Metrics,
) -> Result<(), RunError> {
    tokio::select! {
        () = election.acquire() => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    tracing::info!("leading");
    metrics.leads(true);
    let lost = {
        let mut led = std::pin::pin!(leading.lead());
        tokio::select! {
            lost = election.hold() => Some(lost),
            () = shutdown.cancelled() => None,
            () = &mut led => None,
        }
    };
    metrics.leads(false);
    match lost {
        Some(lost) => Err(lost.into()),
        None => {
            election.release().await;
            Ok(())
        }
    }
}

/// Everything that runs while leading.
struct Leading<'a> {
    hub_client: kube::Client,
    config: &'a ControllerConfig,
    settings: Settings,
    connector: Arc<dyn Connector>,
    fence: Fence,
    env: Env,
    metrics: Metrics,
}

impl Leading<'_> {
    /// Runs all reconcilers until dropped, which drops every task they own.
    async fn lead(self) {
        let members = Members::new(
            self.hub_client.clone(),
            &self.config.namespace,
            self.connector,
            self.settings.members,
            self.fence,
            self.env.clone(),
            self.metrics.clone(),
        );
        let (recorder, notices) = Recorder::new();
        let context = Arc::new(Context {
            hub_client: self.hub_client.clone(),
            namespace: self.config.namespace.clone(),
            settings: self.settings,
            conversion: self.config.conversion.clone(),
            env: self.env.clone(),
            members: Arc::clone(&members),
            cells: Arc::default(),
            namespaces: Arc::default(),
            federated_namespaces: crate::namespaces::FederatedNamespaces::default(),
            records: Records::default(),
            recorder,
            metrics: self.metrics,
            changes: broadcast::channel(CHANGE_BACKLOG).0,
            cell_queue: Queue::new(Backoff::OBJECT, self.env.clone()),
        });
        let _tunnels = OwnedTask::spawn(tell_of_tunnels(
            Arc::clone(&members),
            context.recorder.clone(),
        ));
        let _members = OwnedTask::spawn(members.run());
        let _notices = OwnedTask::spawn(notices.run(self.hub_client.clone(), self.env.clone()));
        let _views = OwnedTask::spawn(HubViews::new(Arc::clone(&context)).run());
        load_records(&context).await;
        let cells = CellController::new(Arc::clone(&context));
        let types = TypeController::new(context);
        let _cells = OwnedTask::spawn(cells.run());
        types.run().await;
    }
}

/// Reads the records; without them nothing may be propagated, so this is tried until it works.
async fn load_records(context: &Context) {
    let mut failures = 0;
    while let Err(error) = context.records.load(&context.hub_client).await {
        tracing::warn!(error = %chain(&error), "cannot read the propagated versions");
        tokio::time::sleep(Backoff::STREAM.delay(failures, context.env.unit())).await;
        failures += 1;
    }
}

/// Reads the KubeFedConfig once, as KubeFed does; `None` if there is none. Waits for the hub to answer.
async fn read_config(
    hub_client: &kube::Client,
    namespace: &str,
    env: &Env,
) -> Option<KubeFedConfigSpec> {
    let api: Api<KubeFedConfig> = Api::namespaced(hub_client.clone(), namespace);
    let mut failures = 0;
    loop {
        match api.get_opt(names::KUBEFED_CONFIG).await {
            Ok(stored) => return stored.map(|stored| stored.spec),
            Err(error) if Failure::of(&error) == Failure::NotFound => return None,
            Err(error) => tracing::warn!(error = %chain(&error), "cannot read the KubeFedConfig"),
        }
        tokio::time::sleep(Backoff::STREAM.delay(failures, env.unit())).await;
        failures += 1;
    }
}

async fn serve_admin(
    config: &ControllerConfig,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Result<Vec<OwnedTask>, AdminError> {
    let mut addresses: Vec<_> = config
        .healthz_address
        .into_iter()
        .chain(config.metrics_address)
        .collect();
    addresses.dedup();
    let mut servers = Vec::new();
    for address in addresses {
        let server = AdminServer::bind(address, metrics.clone(), readiness.clone()).await?;
        servers.push(OwnedTask::spawn(server.run()));
    }
    Ok(servers)
}

/// The machine's name, for people who look at the lease.
fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "federation-controller".to_owned())
}
