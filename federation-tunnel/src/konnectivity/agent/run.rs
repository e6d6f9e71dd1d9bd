//! The agent's loop: servers are found, served, lost and found again.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::connection::{ConnectError, Connection};
use super::pool::{Pool, Verdict};
use super::{AgentConfig, Servers};
use crate::konnectivity::dial::Dial;
use crate::konnectivity::machine::Acceptor;
use crate::konnectivity::session::Session;

/// How often to look whether the last connection has ended, while draining.
const DRAIN_LOOK: std::time::Duration = std::time::Duration::from_millis(100);

/// How an agent is connected. It is ready when `connected` is not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentState {
    /// Servers that it is connected to.
    pub connected: usize,
    /// Servers that there are, as the last one said.
    pub wanted: usize,
}

enum Event {
    Attempt(Result<Box<Connection>, ConnectError>),
    Ended { server: String, why: String },
}

struct Agent {
    config: Arc<AgentConfig>,
    servers: Arc<dyn Servers>,
    dial: Arc<dyn Dial>,
    pool: Pool,
    tasks: JoinSet<Event>,
    sessions: Vec<(String, Session<Acceptor>)>,
    attempting: bool,
    next: Option<Instant>,
}

/// Keeps an agent connected to all servers until `stop`, then asks them for no more connections, waits for those that there are, as long as
/// the configuration says, and ends. `unit` gives numbers in `0.0..1.0` that spread reconnecting.
pub async fn run_agent(
    config: AgentConfig,
    servers: Arc<dyn Servers>,
    dial: Arc<dyn Dial>,
    unit: impl Fn() -> f64,
    state: watch::Sender<AgentState>,
    stop: CancellationToken,
) {
    let pool = Pool::new(config.timing);
    let mut agent = Agent {
        config: Arc::new(config),
        servers,
        dial,
        pool,
        tasks: JoinSet::new(),
        sessions: Vec::new(),
        attempting: false,
        next: None,
    };
    agent.plan(&unit);
    loop {
        let due = async {
            match agent.next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            Some(event) = agent.tasks.join_next() => {
                // A task that panicked was an attempt or a server: both are made up for by the next attempt.
                if let Ok(event) = event {
                    agent.handle(event);
                }
                agent.plan(&unit);
            }
            () = due => agent.attempt(),
        }
        let (connected, wanted) = (agent.pool.connected(), agent.pool.wanted());
        state.send_replace(AgentState { connected, wanted });
    }
    agent.drain().await;
    state.send_replace(AgentState::default());
}

impl Agent {
    fn plan(&mut self, unit: &impl Fn() -> f64) {
        self.next = match self.attempting {
            true => None,
            false => self.pool.next(unit()).map(|wait| Instant::now() + wait),
        };
    }

    fn attempt(&mut self) {
        self.attempting = true;
        self.next = None;
        let (config, servers) = (Arc::clone(&self.config), Arc::clone(&self.servers));
        self.tasks.spawn(async move {
            let outcome = Connection::open(&config, &*servers).await;
            Event::Attempt(outcome.map(Box::new))
        });
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Attempt(Ok(connection)) => {
                self.attempting = false;
                self.welcomed(*connection);
            }
            Event::Attempt(Err(error)) => {
                self.attempting = false;
                self.pool.failed();
                let error = &error as &dyn std::error::Error;
                warn!(error, "no connection to a server");
            }
            Event::Ended { server, why } => {
                warn!(server, why, "lost a server");
                self.pool.lost(&server);
                self.sessions.retain(|(id, _)| *id != server);
            }
        }
    }

    fn welcomed(&mut self, connection: Connection) {
        let server = connection.server.clone();
        match self.pool.welcomed(&server, connection.count) {
            Verdict::Duplicate => {}
            Verdict::Keep => {
                info!(server, servers = connection.count, "connected to a server");
                let session = connection.session.clone();
                self.sessions.push((server.clone(), session));
                let (config, dial) = (Arc::clone(&self.config), Arc::clone(&self.dial));
                self.tasks.spawn(async move {
                    let why = connection.serve(&config, dial).await;
                    Event::Ended { server, why }
                });
            }
        }
    }

    async fn drain(&mut self) {
        for (_, session) in &self.sessions {
            // A server that does not read is not told; its connections end with the rest.
            let _ = session.with(Acceptor::drain);
        }
        let idle = async {
            loop {
                let busy = |(_, session): &(_, Session<Acceptor>)| session.with(|m| m.load()) > 0;
                if !self.sessions.iter().any(busy) {
                    return;
                }
                tokio::time::sleep(DRAIN_LOOK).await;
            }
        };
        // What is left after that is cut off.
        let _ = tokio::time::timeout(self.config.timing.drain, idle).await;
        self.tasks.shutdown().await;
    }
}
