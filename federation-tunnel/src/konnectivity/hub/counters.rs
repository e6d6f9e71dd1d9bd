//! Counts for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a server has seen since it started, and sees now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Agents that are connected.
    pub agents: u64,
    /// Connections and pending dials through them.
    pub connections: u64,
    /// Agents that were refused: their metadata was wrong, or they named what their certificate does not.
    pub refused: u64,
    /// Those of them that named what their certificate does not.
    pub foreign: u64,
    /// Dials that succeeded.
    pub dialed: u64,
    /// Dials that failed for want of an agent.
    pub no_agent: u64,
    /// Dials that failed otherwise.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) refused: AtomicU64,
    pub(super) foreign: AtomicU64,
    pub(super) dialed: AtomicU64,
    pub(super) no_agent: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, agents: usize, connections: usize) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            agents: agents as u64,
            connections: connections as u64,
            refused: read(&self.refused),
            foreign: read(&self.foreign),
            dialed: read(&self.dialed),
            no_agent: read(&self.no_agent),
            failed: read(&self.failed),
        }
    }
}
