//! What an agent has done, as plain numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::wire::{DialRefusal, Refusal};

/// Counters, living.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) connected: AtomicU64,
    pub(crate) connect_failures: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) streams_opened: AtomicU64,
    pub(crate) to_targets: AtomicU64,
    pub(crate) from_targets: AtomicU64,
    pub(crate) certificates: AtomicU64,
    pub(crate) certificate_failures: AtomicU64,
    dials: [AtomicU64; DialRefusal::ALL.len()],
    refusals: [AtomicU64; Refusal::ALL.len()],
}

impl Counters {
    pub(crate) fn refused_dial(&self, refusal: DialRefusal) {
        self.dials[refusal.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused_by_hub(&self, refusal: Refusal) {
        self.refusals[refusal.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> AgentStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AgentStats {
            connections: load(&self.connections),
            connected: load(&self.connected),
            connect_failures: load(&self.connect_failures),
            streams: load(&self.streams),
            streams_opened: load(&self.streams_opened),
            bytes_to_targets: load(&self.to_targets),
            bytes_from_targets: load(&self.from_targets),
            certificates: load(&self.certificates),
            certificate_failures: load(&self.certificate_failures),
            refused_dials: DialRefusal::ALL
                .into_iter()
                .map(|refusal| (refusal.code(), load(&self.dials[refusal.index()])))
                .collect(),
            refusals_by_hub: Refusal::ALL
                .into_iter()
                .map(|refusal| (refusal.code(), load(&self.refusals[refusal.index()])))
                .collect(),
            buffered_bytes: 0,
            certificate_ends_in: None,
        }
    }
}

/// A snapshot for metrics. What is not described as a total is a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentStats {
    /// Connections to hubs that are up; the agent is ready while there is one.
    pub connections: u64,
    /// Total of connections that came up.
    pub connected: u64,
    /// Total of connections that did not come up.
    pub connect_failures: u64,
    /// Streams open now.
    pub streams: u64,
    /// Total of streams opened to targets.
    pub streams_opened: u64,
    /// Total of bytes from the hub to targets, of streams that have ended.
    pub bytes_to_targets: u64,
    /// Total of bytes from targets to the hub, of streams that have ended.
    pub bytes_from_targets: u64,
    /// Total of certificates received.
    pub certificates: u64,
    /// Total of failed tries to get one.
    pub certificate_failures: u64,
    /// Totals of streams refused, by [`DialRefusal::code`].
    pub refused_dials: Vec<(&'static str, u64)>,
    /// Totals of refusals by the hub, by [`Refusal::code`].
    pub refusals_by_hub: Vec<(&'static str, u64)>,
    /// Bytes from the hub that wait for targets, as of the last measurement.
    pub buffered_bytes: u64,
    /// Seconds until the certificate ends; `None` without one.
    pub certificate_ends_in: Option<u64>,
}

impl AgentStats {
    /// The count of streams refused for one reason.
    #[must_use]
    pub fn refused(&self, refusal: DialRefusal) -> u64 {
        self.refused_dials[refusal.index()].1
    }

    /// The count of the hub's refusals for one reason.
    #[must_use]
    pub fn refused_by_hub(&self, refusal: Refusal) -> u64 {
        self.refusals_by_hub[refusal.index()].1
    }
}
