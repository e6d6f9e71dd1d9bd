//! The hub's end of all tunnels, as other crates use it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::HubConfig;
use super::dial::{DialError, dial};
use super::end::End;
use super::peers::{Peers, Pulses};
use super::registry::{Bounds, ClusterStatus, Registry, TunnelEvent};
use super::stats::{Counters, HubStats};
use super::{serve, session, upstream_agents};
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::identity::{Accounts, Authority, AuthorityError, Directory, Enrollment, TokenStore};
use crate::konnectivity::Agents;
use crate::seams::{BoxIo, Listener, Seams};
use crate::tls::{self, TlsError};
use crate::transport::{Budget, Meter, TunnelStream};
use crate::wire::{ALPN_ENROLL, ALPN_PEER, ALPN_TUNNEL, Class, Refusal};

/// The endpoint's own certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TunnelsError {
    /// The authority cannot sign it.
    #[error("the certificate of the tunnel's endpoint cannot be made")]
    Certificate(#[source] AuthorityError),
    /// TLS does not take it.
    #[error("the tunnel's endpoint cannot be set up")]
    Tls(#[source] TlsError),
}

/// The listener's TLS settings, and when to make a new certificate for them.
struct Serving {
    tls: Arc<ServerConfig>,
    until: u64,
}

pub(crate) struct Inner {
    pub(crate) config: HubConfig,
    pub(crate) registry: Registry,
    pub(crate) enrollment: Enrollment,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) counters: Counters,
    pub(crate) budget: Arc<Budget>,
    pub(crate) handshakes: Arc<Semaphore>,
    pub(crate) draining: AtomicBool,
    pub(crate) seams: Seams,
    pub(crate) pulses: Pulses,
    next_link: AtomicU64,
    serving: Mutex<Serving>,
    peers: OnceLock<Arc<dyn Peers>>,
    upstream_agents: OnceLock<Agents>,
}

impl Inner {
    pub(crate) fn next_link(&self) -> u64 {
        self.next_link.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn upstream_agents(&self) -> Option<&Agents> {
        self.upstream_agents.get()
    }

    /// The listener's TLS settings, with a certificate that has at least a third of its life left.
    pub(crate) fn tls(&self) -> Result<Arc<ServerConfig>, TunnelsError> {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        if self.seams.now().as_secs() >= serving.until {
            *serving = serve_with(&self.enrollment.authority, &self.config, &self.seams)?;
        }
        Ok(serving.tls.clone())
    }
}

/// Whom the hub trusts, and tells its agents to trust: its own authority first.
fn authorities(authority: &Authority, config: &HubConfig) -> Vec<CertificateDer<'static>> {
    let own = authority.certificate().clone();
    let mut all = vec![own];
    all.extend(config.more_authorities.iter().cloned());
    all
}

fn serve_with(
    authority: &Authority,
    config: &HubConfig,
    seams: &Seams,
) -> Result<Serving, TunnelsError> {
    let life = config.server_certificate_life;
    let identity = authority
        .issue_server(&config.hosts, life)
        .map_err(TunnelsError::Certificate)?;
    let tls = tls::server(
        identity,
        &authorities(authority, config),
        // In the order of our preference. Upstream's agents are refused later if they are not served.
        [ALPN_TUNNEL, ALPN_ENROLL, ALPN_PEER, upstream_agents::ALPN]
            .map(<[u8]>::to_vec)
            .to_vec(),
        seams,
    )
    .map_err(TunnelsError::Tls)?;
    Ok(Serving {
        tls,
        until: seams.now().as_secs() + life.as_secs() / 3 * 2,
    })
}

/// The hub's end of all tunnels: takes agents' connections, and opens streams to their clusters. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Tunnels(Arc<Inner>);

impl std::fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tunnels({})", self.0.config.name)
    }
}

impl Tunnels {
    /// An endpoint without listeners: see [`Tunnels::serve`].
    ///
    /// # Errors
    /// If its certificate cannot be made.
    pub fn new(
        config: HubConfig,
        authority: Arc<Authority>,
        directory: Arc<dyn Directory>,
        tokens: Arc<dyn TokenStore>,
        seams: &Seams,
    ) -> Result<Self, TunnelsError> {
        let serving = serve_with(&authority, &config, seams)?;
        let limits = &config.limits;
        Ok(Self(Arc::new(Inner {
            registry: Registry::new(Bounds {
                connections_per_cluster: limits.connections_per_cluster,
                connections_per_agent: limits.connections_per_agent,
                bytes_per_cluster: limits.bytes_per_cluster,
            }),
            enrollment: Enrollment {
                authorities: authorities(&authority, &config),
                authority,
                directory: directory.clone(),
                tokens,
                accounts: OnceLock::new(),
                life: config.certificate_life,
                seams: seams.clone(),
            },
            directory,
            counters: Counters::default(),
            budget: Budget::new(limits.bytes),
            handshakes: Arc::new(Semaphore::new(limits.handshakes)),
            draining: AtomicBool::new(false),
            seams: seams.clone(),
            pulses: Pulses::default(),
            next_link: AtomicU64::new(1),
            serving: Mutex::new(serving),
            peers: OnceLock::new(),
            upstream_agents: OnceLock::new(),
            config,
        })))
    }

    /// Says how to reach the hub's other processes. Once, before serving; a second call changes nothing.
    pub fn set_peers(&self, peers: Arc<dyn Peers>) {
        let _ = self.0.peers.set(peers);
    }

    /// Says where to keep the accounts that agents hand in for the hub. Once, before serving; a second call changes nothing. Without it they are
    /// thrown away.
    pub fn set_accounts(&self, accounts: Arc<dyn Accounts>) {
        let _ = self.0.enrollment.accounts.set(accounts);
    }

    /// Takes in upstream's agents (konnectivity) too, on the same port, with certificates of the same kind, and opens streams through them to
    /// clusters that have no agent of ours. Once, before serving; a second call changes nothing. Each counts as one connection.
    pub fn serve_upstream_agents(&self, agents: Agents) {
        let _ = self.0.upstream_agents.set(agents);
    }

    /// Whether an agent of the cluster, ours or upstream's, is connected to this process or, as far as is known, to a peer.
    #[must_use]
    pub fn is_up(&self, cluster: &ClusterName) -> bool {
        self.0.registry.status(cluster).connections > 0
    }

    pub(super) fn of(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    /// Takes agents' connections until `stop`, then ends them all at once. For an orderly end call [`Tunnels::drain`] before. Several listeners
    /// may be served at once.
    pub async fn serve(&self, listener: impl Listener, stop: CancellationToken) {
        serve::serve(self.0.clone(), listener, stop).await;
    }

    /// Opens a stream to `target` in `cluster`, over this process's connections or a peer's. Dropping the future cancels the dial.
    ///
    /// # Errors
    /// See [`DialError`]. Whatever `cluster` is, only agents whose certificates list it are ever asked.
    pub async fn dial(
        &self,
        cluster: &ClusterName,
        target: &HostPort,
        class: Class,
    ) -> Result<BoxIo, DialError> {
        let inner = &self.0;
        if inner.registry.here(cluster).connections == 0
            && let Some(peers) = inner.peers.get()
            && let Some(answer) = peers.dial(cluster, target, class).await
        {
            inner.counters.forwarded.fetch_add(1, Ordering::Relaxed);
            return answer.inspect_err(|error| inner.counters.failed(error));
        }
        self.dial_here(cluster, target, class).await
    }

    /// As [`Tunnels::dial`], over agents of this process only, ours or upstream's.
    pub(super) async fn dial_here(
        &self,
        cluster: &ClusterName,
        target: &HostPort,
        class: Class,
    ) -> Result<BoxIo, DialError> {
        let inner = &self.0;
        if inner.registry.links(cluster).is_empty()
            && let Some(agents) = inner.upstream_agents()
            && let Some(answer) = upstream_agents::dial(agents, cluster, target).await
        {
            return answer.inspect_err(|error| inner.counters.failed(error));
        }
        let stream = self.dial_local(cluster, target, class).await?;
        Ok(Box::new(stream))
    }

    /// As [`Tunnels::dial`], over this process's connections of our own agents only.
    ///
    /// # Errors
    /// See [`DialError`].
    pub async fn dial_local(
        &self,
        cluster: &ClusterName,
        target: &HostPort,
        class: Class,
    ) -> Result<TunnelStream, DialError> {
        match dial(&self.0, cluster, target, class).await {
            Ok(stream) => {
                self.0.counters.streams.fetch_add(1, Ordering::Relaxed);
                Ok(stream)
            }
            Err(error) => {
                self.0.counters.failed(&error);
                tracing::debug!(%cluster, %target, code = error.code(), "a dial through the tunnel failed");
                Err(error)
            }
        }
    }

    /// Every connection that comes or goes from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<TunnelEvent> {
        self.0.registry.subscribe()
    }

    /// A cluster's tunnel now, through this process or, as far as is known, a peer.
    #[must_use]
    pub fn status(&self, cluster: &ClusterName) -> ClusterStatus {
        self.0.registry.status(cluster)
    }

    /// The clusters that have a tunnel, to this process or, as far as is known, to a peer, in order.
    #[must_use]
    pub fn clusters(&self) -> Vec<(ClusterName, ClusterStatus)> {
        self.0.registry.clusters()
    }

    /// Asks the directory again about every connection of a cluster, and ends those that may no longer be. To be called when a cluster was deleted
    /// or a certificate revoked. (Each connection also asks by itself every few seconds.)
    pub fn recheck(&self, cluster: &ClusterName) {
        for link in self.0.registry.links(cluster) {
            session::recheck(&self.0, &link);
        }
        for link in self.0.registry.upstream_links() {
            link.recheck(cluster);
        }
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        let links = self.0.registry.all_links();
        let theirs = self.0.registry.upstream_links();
        let upstream = self.0.upstream_agents().map(Agents::counters);
        let upstream = upstream.unwrap_or_default();
        let counters = &self.0.counters;
        let streams: u64 = links.iter().map(|link| link.flows.count()).sum();
        let now = self.0.seams.now();
        let ours = links.iter().map(|link| (&link.meter, &link.certificate));
        let theirs = theirs.iter().map(|link| (&link.meter, &link.certificate));
        let sockets: Vec<_> = ours.chain(theirs).collect();
        let sum = |of: fn(&Meter) -> u64| sockets.iter().map(|(meter, _)| of(meter)).sum::<u64>();
        let refused_upstream = [
            (Refusal::ForeignCluster, upstream.foreign),
            (
                Refusal::Malformed,
                upstream.refused.saturating_sub(upstream.foreign),
            ),
        ];
        let mut refusals = counters.refusals();
        for (refusal, count) in refused_upstream {
            refusals[refusal.index()].1 += count;
        }
        HubStats {
            clusters: self.0.registry.clusters_here().len() as u64,
            connections: sockets.len() as u64,
            streams: streams + upstream.connections,
            buffered_bytes: self.0.budget.used(),
            accepted: counters.accepted.load(Ordering::Relaxed),
            streams_opened: counters.streams.load(Ordering::Relaxed) + upstream.dialed,
            bytes_read: counters.read.load(Ordering::Relaxed) + sum(Meter::read),
            bytes_written: counters.written.load(Ordering::Relaxed) + sum(Meter::written),
            enrolled: counters.enrolled.load(Ordering::Relaxed),
            renewed: counters.renewed.load(Ordering::Relaxed),
            forwarded: counters.forwarded.load(Ordering::Relaxed),
            refusals,
            dial_failures: counters.failures(),
            ends: counters.ends(),
            first_certificate_ends_in: sockets
                .iter()
                .map(|(_, certificate)| certificate.seconds_left(now))
                .min(),
        }
    }

    /// Stops in order: takes no more connections, asks agents to come back elsewhere within `spread` (each at its own moment), and waits until their
    /// streams have ended, `grace` at most. Then ends what is left. Streams to clusters that have nothing else are opened until the end.
    pub async fn drain(&self, spread: Duration, grace: Duration) {
        self.0.draining.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + grace;
        let links = self.0.registry.all_links();
        futures::future::join_all(links.iter().map(|link| session::say_drain(link, spread))).await;
        while Instant::now() < deadline {
            let links = self.0.registry.all_links();
            if links.iter().all(|link| link.flows.count() == 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for link in self.0.registry.all_links() {
            link.close(End::Stopped);
        }
    }
}

#[cfg(test)]
impl Tunnels {
    /// A cluster's connections themselves.
    pub(crate) fn links(&self, cluster: &ClusterName) -> Vec<Arc<super::link::Link>> {
        self.0.registry.links(cluster)
    }

    /// A dial over a connection that is not in the registry.
    pub(crate) async fn dial_over(
        &self,
        sender: h2::client::SendRequest<bytes::Bytes>,
        cluster: &ClusterName,
        target: &HostPort,
    ) -> Result<TunnelStream, DialError> {
        let known = self.links(cluster).remove(0);
        let link = super::link::Link::new(super::link::Parts {
            id: 0,
            agent: "bad".to_owned(),
            class: Class::Interactive,
            clusters: vec![cluster.clone()],
            certificate: known.certificate.clone(),
            sender,
            meter: crate::transport::Meter::new(),
        });
        super::dial::connect(&link, cluster, target)
            .await
            .inspect_err(|error| self.0.counters.failed(error))
    }
}
