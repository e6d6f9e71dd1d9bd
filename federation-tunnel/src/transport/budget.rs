//! Budgets for bytes that have arrived and nobody has read yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A limit that several connections share: those of one cluster, or all of a process. It is not a hard wall: windows shrink as it fills
/// ([`crate::transport`]), down to 16 KiB per stream.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
    streams: AtomicU64,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
            streams: AtomicU64::new(0),
        })
    }

    /// Bytes that wait for readers, as of the last measurement of each connection (a few hundred milliseconds ago while bytes move).
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Streams that draw on it.
    #[must_use]
    pub fn streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// What one of its streams may still take, if all take the same.
    fn fair(&self) -> u64 {
        self.limit.saturating_sub(self.used()) / self.streams().max(1)
    }
}

/// What one connection takes of its budgets. Given back on drop.
#[derive(Debug)]
pub(crate) struct Share {
    budgets: Vec<Arc<Budget>>,
    used: u64,
    streams: u64,
}

impl Share {
    pub(crate) fn new(budgets: Vec<Arc<Budget>>) -> Self {
        Self {
            budgets,
            used: 0,
            streams: 0,
        }
    }

    /// Replaces what the connection takes.
    pub(crate) fn set(&mut self, used: u64, streams: u64) {
        for budget in &self.budgets {
            // Wrapping addition of a difference: also right when it is negative.
            budget
                .used
                .fetch_add(used.wrapping_sub(self.used), Ordering::Relaxed);
            budget
                .streams
                .fetch_add(streams.wrapping_sub(self.streams), Ordering::Relaxed);
        }
        (self.used, self.streams) = (used, streams);
    }

    /// What one stream may still take under the tightest of the budgets.
    pub(crate) fn fair(&self) -> u64 {
        self.budgets
            .iter()
            .map(|budget| budget.fair())
            .min()
            .unwrap_or(u64::MAX)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}
