//! The agent itself: one loop that owns the pool of connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::config::{AgentConfig, AgentParts};
use super::contact::{Contact, ContactError, hello};
use super::keeper::{CertificateError, Keeper, Material, chain};
use super::pool::{ConnectionId, Place, Pool, Replaced};
use super::rejected::Rejected;
use super::serve::Shared;
use super::session::{Ended, Session};
use super::stats::{AgentStats, Counters};
use crate::cluster::ClusterName;
use crate::transport::{Budget, Meter};

/// Something happened to a connection.
enum Event {
    Connected {
        slot: usize,
        id: ConnectionId,
    },
    Failed {
        slot: usize,
        id: ConnectionId,
        hub: usize,
        error: ContactError,
    },
    Leave {
        id: ConnectionId,
        spread: Duration,
    },
    Ended {
        id: ConnectionId,
        ended: Ended,
    },
}

/// How to end a connection.
struct Reins {
    drain: CancellationToken,
    cut: CancellationToken,
}

/// An agent: dials its hubs and serves what they ask for. See [`Agent::run`].
pub struct Agent {
    shared: Arc<Shared>,
    budget: Arc<Budget>,
    material: watch::Receiver<Option<Arc<Material>>>,
    keeper: Keeper,
    name: String,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Agent({})", self.name)
    }
}

/// Looks into a running agent, for health and metrics. Cheap to clone.
#[derive(Clone)]
pub struct AgentHandle {
    shared: Arc<Shared>,
    budget: Arc<Budget>,
    material: watch::Receiver<Option<Arc<Material>>>,
}

impl std::fmt::Debug for AgentHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentHandle")
    }
}

impl AgentHandle {
    /// Numbers for metrics.
    #[must_use]
    pub fn stats(&self) -> AgentStats {
        let now = self.shared.parts.seams.now();
        AgentStats {
            buffered_bytes: self.budget.used(),
            certificate_ends_in: self
                .material
                .borrow()
                .as_ref()
                .map(|material| material.identity.certificate().seconds_left(now)),
            ..self.shared.counters.snapshot()
        }
    }

    /// Whether at least one connection to a hub is up.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.counters.connections.load(Ordering::Relaxed) > 0
    }
}

impl Agent {
    /// An agent that does nothing before [`Agent::run`].
    #[must_use]
    pub fn new(config: AgentConfig, parts: AgentParts) -> Self {
        let config = Arc::new(config);
        let counters = Arc::new(Counters::default());
        let rejected = Arc::new(Rejected::default());
        let (out, material) = watch::channel(None);
        Self {
            name: format!("{:032x}", parts.seams.random()),
            budget: Budget::new(config.bytes),
            keeper: Keeper {
                config: config.clone(),
                parts: parts.clone(),
                counters: counters.clone(),
                rejected: rejected.clone(),
                out,
            },
            shared: Arc::new(Shared {
                streams: Semaphore::new(config.streams),
                config,
                parts,
                counters,
                rejected,
            }),
            material,
        }
    }

    /// For looking into it while it runs.
    #[must_use]
    pub fn handle(&self) -> AgentHandle {
        AgentHandle {
            shared: self.shared.clone(),
            budget: self.budget.clone(),
            material: self.material.clone(),
        }
    }

    /// Gets a certificate if there is none that is valid, renews it if that is due, and connects to nothing: for an agent of another make, which
    /// then reads it from the store.
    ///
    /// # Errors
    /// See [`CertificateError`]. One that is still valid stays where it is.
    pub async fn keep_certificate(&self) -> Result<(), CertificateError> {
        self.keeper.step().await.map(drop)
    }

    /// Runs until `stop`: gets and renews its certificate, keeps its connections, serves. Never gives up by itself: whatever fails is logged, counted
    /// and tried again. At `stop` it tells the hubs, and returns when its streams have ended or the configured grace is over.
    pub async fn run(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.keeper.run());
        let (events, inbox) = mpsc::channel(256);
        let config = &self.shared.config;
        let run = Run {
            pool: Pool::new(
                config.hubs.len(),
                config.connections.clamp(1, 4),
                config.backoff,
                Instant::now(),
            ),
            tasks,
            open: HashMap::new(),
            next: 0,
            events,
            inbox,
            shared: self.shared,
            budget: self.budget,
            material: self.material,
            name: self.name,
        };
        run.run(stop).await;
    }
}

/// The running agent.
struct Run {
    pool: Pool,
    tasks: JoinSet<()>,
    open: HashMap<ConnectionId, Reins>,
    next: ConnectionId,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    shared: Arc<Shared>,
    budget: Arc<Budget>,
    material: watch::Receiver<Option<Arc<Material>>>,
    name: String,
}

impl Run {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let material = self.material.borrow_and_update().clone();
            let mut due = None;
            if let Some(material) = material {
                for (slot, place) in self.pool.take_due(Instant::now()) {
                    self.connect(slot, place, material.clone());
                }
                due = self.pool.next_due();
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(event) = self.inbox.recv() => self.handle(event),
                changed = self.material.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.pool.rotate(Instant::now());
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                Some(_) = self.tasks.join_next() => {}
            }
        }
        self.stop().await;
    }

    fn handle(&mut self, event: Event) {
        let (now, unit) = (Instant::now(), self.shared.parts.seams.unit());
        match event {
            Event::Connected { slot, id } => {
                self.shared
                    .counters
                    .connected
                    .fetch_add(1, Ordering::Relaxed);
                if let Replaced::Drain(old) = self.pool.connected(slot, id, now)
                    && let Some(reins) = self.open.get(&old)
                {
                    reins.drain.cancel();
                }
            }
            Event::Failed {
                slot,
                id,
                hub,
                error,
            } => {
                self.open.remove(&id);
                let counters = &self.shared.counters;
                counters.connect_failures.fetch_add(1, Ordering::Relaxed);
                if let ContactError::Refused { refusal, .. } = &error {
                    counters.refused_by_hub(*refusal);
                }
                let hub = self.shared.config.hubs[hub].to_string();
                tracing::warn!(hub, error = chain(&error), "no connection to the hub");
                let at_least = error.retry_after();
                self.pool
                    .failed(slot, error.is_final(), at_least, now, unit);
            }
            Event::Leave { id, spread } => {
                tracing::info!(connection = id, ?spread, "the hub is about to stop");
                self.pool.leave(id, spread, now, unit);
            }
            Event::Ended { id, ended } => {
                self.open.remove(&id);
                tracing::info!(connection = id, ?ended, "a connection to the hub ended");
                self.pool.ended(id, now, unit);
            }
        }
    }

    /// Starts one connection: its task reports everything that happens to it.
    fn connect(&mut self, slot: usize, place: Place, material: Arc<Material>) {
        self.next += 1;
        let id = self.next;
        let reins = Reins {
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
        };
        let task = Connecting {
            id,
            slot,
            place,
            material,
            shared: self.shared.clone(),
            budget: self.budget.clone(),
            events: self.events.clone(),
            drain: reins.drain.clone(),
            cut: reins.cut.clone(),
            name: self.name.clone(),
        };
        self.open.insert(id, reins);
        self.tasks.spawn(task.run());
    }

    /// Drains all connections, then cuts what is left.
    async fn stop(mut self) {
        let grace = self.shared.config.grace;
        for reins in self.open.values() {
            reins.drain.cancel();
        }
        let drained = async {
            while !self.open.is_empty() {
                match self.inbox.recv().await {
                    Some(Event::Ended { id, .. } | Event::Failed { id, .. }) => {
                        self.open.remove(&id);
                    }
                    Some(Event::Connected { .. } | Event::Leave { .. }) => {}
                    None => break,
                }
            }
        };
        if timeout(grace, drained).await.is_err() {
            tracing::warn!("streams were cut: they went on for longer than the grace");
        }
        for reins in self.open.values() {
            reins.cut.cancel();
        }
        self.tasks.shutdown().await;
    }
}

/// The task of one connection.
struct Connecting {
    id: ConnectionId,
    slot: usize,
    place: Place,
    material: Arc<Material>,
    shared: Arc<Shared>,
    budget: Arc<Budget>,
    events: mpsc::Sender<Event>,
    drain: CancellationToken,
    cut: CancellationToken,
    name: String,
}

impl Connecting {
    async fn run(self) {
        let config = &self.shared.config;
        let meter = Meter::new();
        let contact = Contact {
            connector: &*self.shared.parts.connector,
            hub: &config.hubs[self.place.hub],
            server_name: &config.server_name,
            seams: &self.shared.parts.seams,
            timeout: config.connect_timeout,
        };
        let hello = hello(
            &self.name,
            &config.software,
            self.place.class,
            &config.clusters,
        );
        let contacted = tokio::select! {
            contacted = contact.tunnel(&self.material, &hello, &meter) => contacted,
            () = self.drain.cancelled() => return self.tell_ended(Ended::Cut).await,
        };
        let socket = match contacted {
            Ok(socket) => socket,
            Err(error) => {
                let serial = self.material.identity.certificate().serial();
                self.shared.rejected.note(serial, &error);
                let failed = Event::Failed {
                    slot: self.slot,
                    id: self.id,
                    hub: self.place.hub,
                    error,
                };
                let _ = self.events.send(failed).await;
                return;
            }
        };
        let hub = config.hubs[self.place.hub].to_string();
        tracing::info!(connection = self.id, hub, class = %self.place.class, "a connection to the hub is up");
        let (slot, id) = (self.slot, self.id);
        let _ = self.events.send(Event::Connected { slot, id }).await;
        let up = Up::new(self.shared.counters.clone());
        let session = Session {
            shared: self.shared.clone(),
            clusters: self.served(),
            meter,
            budget: self.budget.clone(),
            drain: self.drain.clone(),
            cut: self.cut.clone(),
        };
        let ended = session
            .run(socket, |spread| {
                // A full inbox loses the notice; the end of the connection will tell.
                let _ = self.events.try_send(Event::Leave { id, spread });
            })
            .await;
        drop(up);
        self.tell_ended(ended).await;
    }

    async fn tell_ended(&self, ended: Ended) {
        let id = self.id;
        let _ = self.events.send(Event::Ended { id, ended }).await;
    }

    /// The clusters of the certificate, narrowed as configured.
    fn served(&self) -> Arc<[ClusterName]> {
        let wanted = &self.shared.config.clusters;
        self.material
            .identity
            .certificate()
            .clusters()
            .iter()
            .map(|id| id.name().clone())
            .filter(|name| wanted.is_empty() || wanted.iter().any(|w| w == name.as_str()))
            .collect()
    }
}

/// Counts a connection as up while it lives.
struct Up(Arc<Counters>);

impl Up {
    fn new(counters: Arc<Counters>) -> Self {
        counters.connections.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
