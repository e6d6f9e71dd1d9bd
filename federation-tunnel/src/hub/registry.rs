//! Which connections serve which cluster.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::end::End;
use super::link::Link;
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

pub(crate) struct Registry {
    bounds: Bounds,
    clusters: Mutex<HashMap<ClusterName, Entry>>,
    events: broadcast::Sender<TunnelEvent>,
}

/// Events that a slow receiver may be behind before it loses some.
const EVENTS: usize = 4096;

impl Registry {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            clusters: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClusterName, Entry>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<TunnelEvent> {
        self.events.subscribe()
    }

    /// Checks whether one more connection of `agent` fits. Two that ask at once may both be told yes: the bounds are against runaway agents, not exact.
    pub(crate) fn admits(&self, agent: &str, clusters: &[ClusterName]) -> Result<(), Refusal> {
        let all = self.lock();
        for entry in clusters.iter().filter_map(|name| all.get(name)) {
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
        let mut all = self.lock();
        let mut budgets = Vec::new();
        for name in &link.clusters {
            let entry = all.entry(name.clone()).or_insert_with(|| Entry {
                links: Vec::new(),
                budget: Budget::new(self.bounds.bytes_per_cluster),
            });
            entry.links.push(link.clone());
            budgets.push(entry.budget.clone());
            let now = entry.status();
            // Nobody may be listening.
            let _ = self.events.send(TunnelEvent::Connected {
                cluster: name.clone(),
                now,
            });
        }
        budgets
    }

    /// Takes a connection out.
    pub(crate) fn remove(&self, link: &Link, end: End) {
        let mut all = self.lock();
        for name in &link.clusters {
            let Some(entry) = all.get_mut(name) else {
                continue;
            };
            entry.links.retain(|other| other.id != link.id);
            let now = entry.status();
            if entry.links.is_empty() {
                all.remove(name);
            }
            let _ = self.events.send(TunnelEvent::Disconnected {
                cluster: name.clone(),
                now,
                end,
            });
        }
    }

    /// The connections of a cluster.
    pub(crate) fn links(&self, cluster: &ClusterName) -> Vec<Arc<Link>> {
        self.lock()
            .get(cluster)
            .map(|entry| entry.links.clone())
            .unwrap_or_default()
    }

    /// Every connection once.
    pub(crate) fn all_links(&self) -> Vec<Arc<Link>> {
        let all = self.lock();
        let mut seen = HashSet::new();
        all.values()
            .flat_map(|entry| &entry.links)
            .filter(|link| seen.insert(link.id))
            .cloned()
            .collect()
    }

    pub(crate) fn status(&self, cluster: &ClusterName) -> ClusterStatus {
        self.lock()
            .get(cluster)
            .map(Entry::status)
            .unwrap_or_default()
    }

    /// The clusters that have a tunnel, in order.
    pub(crate) fn clusters(&self) -> Vec<(ClusterName, ClusterStatus)> {
        let mut all: Vec<_> = self
            .lock()
            .iter()
            .map(|(name, entry)| (name.clone(), entry.status()))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}
