//! Which connections serve which cluster.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::end::End;
use super::link::Link;
use super::upstream_agents::UpstreamLink;
use crate::cluster::ClusterName;
use crate::transport::Budget;
use crate::wire::Refusal;

/// What a cluster's tunnel is like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Agents' processes that serve it.
    pub agents: usize,
    /// Their connections. The tunnel is up while there is one.
    pub connections: usize,
    /// Streams open to it.
    pub streams: u64,
}

impl ClusterStatus {
    /// Both together.
    fn and(self, other: Self) -> Self {
        Self {
            agents: self.agents + other.agents,
            connections: self.connections + other.connections,
            streams: self.streams + other.streams,
        }
    }
}

/// A connection came or went. The counts are those after it. Someone who missed events asks for [`ClusterStatus`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelEvent {
    /// An agent serves the cluster over one more connection.
    Connected {
        /// The cluster.
        cluster: ClusterName,
        /// Its tunnel now.
        now: ClusterStatus,
    },
    /// A connection is gone. With 0 connections left the tunnel is down.
    Disconnected {
        /// The cluster.
        cluster: ClusterName,
        /// Its tunnel now.
        now: ClusterStatus,
        /// Why.
        end: End,
    },
}

/// One cluster's connections.
struct Entry {
    links: Vec<Arc<Link>>,
    budget: Arc<Budget>,
}

impl Entry {
    fn status(&self) -> ClusterStatus {
        let agents: HashSet<&str> = self.links.iter().map(|link| link.agent.as_str()).collect();
        ClusterStatus {
            agents: agents.len(),
            connections: self.links.len(),
            streams: self.links.iter().map(|link| link.flows.count()).sum(),
        }
    }
}

/// Bounds that the registry keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) connections_per_cluster: usize,
    pub(crate) connections_per_agent: usize,
    pub(crate) bytes_per_cluster: u64,
}

#[derive(Default)]
struct State {
    /// Our own agents'.
    clusters: HashMap<ClusterName, Entry>,
    /// Upstream's agents that serve.
    upstream: HashMap<ClusterName, usize>,
    /// Their connections, whether they serve yet or not.
    upstream_links: Vec<Arc<UpstreamLink>>,
    /// What peers say of theirs.
    elsewhere: HashMap<ClusterName, HashMap<String, ClusterStatus>>,
}

impl State {
    /// In this process.
    fn here(&self, cluster: &ClusterName) -> ClusterStatus {
        let own = self.clusters.get(cluster).map(Entry::status);
        let upstream = self.upstream.get(cluster).copied().unwrap_or(0);
        own.unwrap_or_default().and(ClusterStatus {
            agents: upstream,
            connections: upstream,
            streams: 0,
        })
    }

    fn everywhere(&self, cluster: &ClusterName) -> ClusterStatus {
        let peers = self.elsewhere.get(cluster);
        peers
            .into_iter()
            .flat_map(HashMap::values)
            .fold(self.here(cluster), |all, peer| all.and(*peer))
    }
}

pub(crate) struct Registry {
    bounds: Bounds,
    state: Mutex<State>,
    events: broadcast::Sender<TunnelEvent>,
}

/// Events that a slow receiver may be behind before it loses some.
const EVENTS: usize = 4096;

impl Registry {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            state: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<TunnelEvent> {
        self.events.subscribe()
    }

    fn tell_come(&self, state: &State, cluster: &ClusterName) {
        // Nobody may be listening.
        let _ = self.events.send(TunnelEvent::Connected {
            cluster: cluster.clone(),
            now: state.everywhere(cluster),
        });
    }

    fn tell_gone(&self, state: &State, cluster: &ClusterName, end: End) {
        let _ = self.events.send(TunnelEvent::Disconnected {
            cluster: cluster.clone(),
            now: state.everywhere(cluster),
            end,
        });
    }

    /// Checks whether one more connection of `agent` fits. Two that ask at once may both be told yes: the bounds are against runaway agents, not exact.
    pub(crate) fn admits(&self, agent: &str, clusters: &[ClusterName]) -> Result<(), Refusal> {
        let state = self.lock();
        for entry in clusters.iter().filter_map(|name| state.clusters.get(name)) {
            let own = entry
                .links
                .iter()
                .filter(|link| link.agent == agent)
                .count();
            if entry.links.len() >= self.bounds.connections_per_cluster
                || own >= self.bounds.connections_per_agent
            {
                return Err(Refusal::TooMany);
            }
        }
        Ok(())
    }

    /// Adds a connection under each of its clusters, and returns their budgets.
    pub(crate) fn insert(&self, link: &Arc<Link>) -> Vec<Arc<Budget>> {
        let mut state = self.lock();
        let mut budgets = Vec::new();
        for name in &link.clusters {
            let entry = state.clusters.entry(name.clone()).or_insert_with(|| Entry {
                links: Vec::new(),
                budget: Budget::new(self.bounds.bytes_per_cluster),
            });
            entry.links.push(link.clone());
            budgets.push(entry.budget.clone());
            self.tell_come(&state, name);
        }
        budgets
    }

    /// Takes a connection out.
    pub(crate) fn remove(&self, link: &Link, end: End) {
        let mut state = self.lock();
        for name in &link.clusters {
            let Some(entry) = state.clusters.get_mut(name) else {
                continue;
            };
            entry.links.retain(|other| other.id != link.id);
            if entry.links.is_empty() {
                state.clusters.remove(name);
            }
            self.tell_gone(&state, name, end);
        }
    }

    /// Adds an upstream agent under each cluster that it serves.
    pub(crate) fn upstream_serves(&self, clusters: &[ClusterName]) {
        let mut state = self.lock();
        for name in clusters {
            *state.upstream.entry(name.clone()).or_default() += 1;
            self.tell_come(&state, name);
        }
    }

    /// Takes back [`Registry::upstream_serves`].
    pub(crate) fn upstream_has_gone(&self, clusters: &[ClusterName]) {
        let mut state = self.lock();
        for name in clusters {
            if let Some(count) = state.upstream.get_mut(name) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    state.upstream.remove(name);
                }
            }
            self.tell_gone(&state, name, End::Closed);
        }
    }

    /// Adds a connection of an upstream agent.
    pub(crate) fn insert_upstream(&self, link: &Arc<UpstreamLink>) {
        self.lock().upstream_links.push(link.clone());
    }

    /// Takes it out.
    pub(crate) fn remove_upstream(&self, link: &Arc<UpstreamLink>) {
        self.lock()
            .upstream_links
            .retain(|other| !Arc::ptr_eq(other, link));
    }

    /// Every connection of an upstream agent.
    pub(crate) fn upstream_links(&self) -> Vec<Arc<UpstreamLink>> {
        self.lock().upstream_links.clone()
    }

    /// Takes in what a peer says of its clusters: all of them if `full`.
    pub(crate) fn put_peer(
        &self,
        peer: &str,
        full: bool,
        routes: Vec<(ClusterName, ClusterStatus)>,
    ) {
        let mut state = self.lock();
        let mut changes = routes;
        if full {
            let gone: Vec<_> = state
                .elsewhere
                .iter()
                .filter(|(name, peers)| {
                    peers.contains_key(peer) && !changes.iter().any(|(other, _)| other == *name)
                })
                .map(|(name, _)| (name.clone(), ClusterStatus::default()))
                .collect();
            changes.extend(gone);
        }
        for (name, status) in changes {
            let peers = state.elsewhere.entry(name.clone()).or_default();
            let before = peers.get(peer).map_or(0, |held| held.connections);
            if status.connections > 0 {
                peers.insert(peer.to_owned(), status);
            } else {
                peers.remove(peer);
            }
            if peers.is_empty() {
                state.elsewhere.remove(&name);
            }
            match status.connections.cmp(&before) {
                std::cmp::Ordering::Greater => self.tell_come(&state, &name),
                std::cmp::Ordering::Less => self.tell_gone(&state, &name, End::Closed),
                std::cmp::Ordering::Equal => {}
            }
        }
    }

    /// Forgets what a peer said.
    pub(crate) fn forget_peer(&self, peer: &str) {
        self.put_peer(peer, true, Vec::new());
    }

    /// The peers that hold a cluster.
    pub(crate) fn peers_with(&self, cluster: &ClusterName) -> Vec<String> {
        let state = self.lock();
        let peers = state.elsewhere.get(cluster);
        peers.into_iter().flat_map(HashMap::keys).cloned().collect()
    }

    /// The connections of a cluster.
    pub(crate) fn links(&self, cluster: &ClusterName) -> Vec<Arc<Link>> {
        self.lock()
            .clusters
            .get(cluster)
            .map(|entry| entry.links.clone())
            .unwrap_or_default()
    }

    /// Every connection once.
    pub(crate) fn all_links(&self) -> Vec<Arc<Link>> {
        let state = self.lock();
        let mut seen = HashSet::new();
        state
            .clusters
            .values()
            .flat_map(|entry| &entry.links)
            .filter(|link| seen.insert(link.id))
            .cloned()
            .collect()
    }

    /// A cluster's tunnel to this process.
    pub(crate) fn here(&self, cluster: &ClusterName) -> ClusterStatus {
        self.lock().here(cluster)
    }

    /// A cluster's tunnel, to whichever process.
    pub(crate) fn status(&self, cluster: &ClusterName) -> ClusterStatus {
        self.lock().everywhere(cluster)
    }

    /// The clusters that have a tunnel to this process, in order.
    pub(crate) fn clusters_here(&self) -> Vec<ClusterName> {
        let state = self.lock();
        let all: BTreeSet<_> = state.clusters.keys().chain(state.upstream.keys()).collect();
        all.into_iter().cloned().collect()
    }

    /// The clusters that have a tunnel to whichever process, in order.
    pub(crate) fn clusters(&self) -> Vec<(ClusterName, ClusterStatus)> {
        let state = self.lock();
        let all: BTreeSet<_> = state
            .clusters
            .keys()
            .chain(state.upstream.keys())
            .chain(state.elsewhere.keys())
            .collect();
        all.into_iter()
            .map(|name| (name.clone(), state.everywhere(name)))
            .collect()
    }
}
