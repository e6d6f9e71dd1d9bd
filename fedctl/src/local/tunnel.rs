//! The tunnel in this process: the hub's end for the controller, and the agent of a member that is reached no other way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use federation_apiserver::proxy::tunnel_target;
use federation_controller::tunnel::{
    Stream, TunnelBoard, TunnelDialError, TunnelState, Tunnels as MemberTunnels,
};
use federation_tunnel::identity::Trust;
use federation_tunnel::{
    Agent, AgentConfig, AgentParts, Class, ClusterName, HostPort, Seams, TcpConnector, TcpUpstream,
    TunnelEvent, Tunnels,
};
use http::Uri;
use proxy_agent::FileIdentity;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The hub's tunnels, without the detour over its API.
pub(super) struct LocalTunnels {
    tunnels: Tunnels,
    board: TunnelBoard,
}

impl LocalTunnels {
    /// Follows the tunnels for as long as they exist.
    pub(super) fn new(tunnels: Tunnels) -> Self {
        let board = TunnelBoard::default();
        tokio::spawn(follow(tunnels.clone(), board.clone()));
        Self { tunnels, board }
    }
}

async fn follow(tunnels: Tunnels, board: TunnelBoard) {
    loop {
        let mut events = tunnels.subscribe();
        let up = tunnels.clusters().into_iter();
        board.replace(&up.map(|(name, _)| name.to_string()).collect());
        loop {
            match events.recv().await {
                Ok(
                    TunnelEvent::Connected { cluster, now }
                    | TunnelEvent::Disconnected { cluster, now, .. },
                ) => board.set(cluster.as_str(), now.connections > 0),
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return,
            }
        }
    }
}

#[async_trait]
impl MemberTunnels for LocalTunnels {
    async fn dial(
        &self,
        cluster: &str,
        endpoint: &Uri,
    ) -> Result<Box<dyn Stream>, TunnelDialError> {
        let failed = |why: String| TunnelDialError(why);
        let name: ClusterName = cluster.parse().map_err(|e| failed(format!("{e}")))?;
        let target =
            tunnel_target(endpoint).map_err(|e| failed(format!("spec.apiEndpoint: {e}")))?;
        let stream = self
            .tunnels
            .dial(&name, &target, Class::Interactive)
            .await
            .map_err(|error| failed(crate::print::chain(&anyhow::Error::new(error))))?;
        Ok(Box::new(stream))
    }

    fn state(&self, cluster: &str) -> watch::Receiver<TunnelState> {
        self.board.subscribe(cluster)
    }
}

/// A member's agent.
pub(super) struct LocalAgent {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What an agent is handed.
pub(super) struct Handed {
    /// The hub's tunnel.
    pub(super) hub: HostPort,
    /// The tunnel's authority, PEM.
    pub(super) authority: String,
    /// The bootstrap token's file, in which it may not be any more.
    pub(super) token_file: std::path::PathBuf,
    /// Where the member's API server really is.
    pub(super) api_server: HostPort,
}

impl LocalAgent {
    /// Starts an agent that keeps its identity in `state`.
    pub(super) fn start(state: &Path, handed: Handed) -> anyhow::Result<Self> {
        let trust = Trust::from_pem(handed.authority.as_bytes())
            .context("the tunnel's authority cannot be used")?;
        let mut config = AgentConfig::new(handed.hub, trust);
        // Here nothing needs to drain: hub and member end together.
        config.grace = Duration::from_millis(100);
        let upstream =
            TcpUpstream::new(config.allow.clone()).alias(HostPort::api_server(), handed.api_server);
        let store = FileIdentity::open(state, Some(&handed.token_file))
            .with_context(|| format!("cannot use {}", state.display()))?;
        let agent = Agent::new(
            config,
            AgentParts {
                connector: Arc::new(TcpConnector::default()),
                upstream: Arc::new(upstream),
                store: Arc::new(store),
                seams: Seams::system(),
            },
        );
        let stop = CancellationToken::new();
        Ok(Self {
            task: tokio::spawn(agent.run(stop.clone())),
            stop,
        })
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        // An agent that panicked has said so already.
        let _ = self.task.await;
    }
}
