//! Stops writes when leadership may have been lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A write was refused because this process may no longer be the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leader lease is not held, so nothing is written")]
pub struct LeaseLost;

/// Lets writes pass up to an instant that every renewal of the lease moves on. It needs no task to act: a process that
/// was stopped for a minute wakes up behind a closed fence. Cheap to clone; clones share the instant.
#[derive(Clone, Debug)]
pub struct Fence {
    origin: Instant,
    /// Milliseconds after `origin` up to which writes pass.
    until: Arc<AtomicU64>,
}

impl Fence {
    /// A fence that never closes, for a process that elects no leader.
    #[must_use]
    pub fn open() -> Self {
        let fence = Self::closed();
        fence.until.store(u64::MAX, Ordering::Release);
        fence
    }

    /// A fence that is closed until the first [`Fence::extend`].
    #[must_use]
    pub fn closed() -> Self {
        Self {
            origin: Instant::now(),
            until: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Lets writes pass for `time` from `from` on, where `from` is an instant before the renewal was sent.
    pub fn extend(&self, from: Instant, time: Duration) {
        let until = (from + time)
            .saturating_duration_since(self.origin)
            .as_millis();
        self.until
            .store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Refuses writes from now on.
    pub fn close(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// Whether a write may be sent now.
    ///
    /// # Errors
    /// [`LeaseLost`] if not.
    pub fn check(&self) -> Result<(), LeaseLost> {
        let elapsed = Instant::now()
            .saturating_duration_since(self.origin)
            .as_millis();
        if elapsed < u128::from(self.until.load(Ordering::Acquire)) {
            Ok(())
        } else {
            Err(LeaseLost)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fence_closes_by_itself() {
        let fence = Fence::closed();
        assert_eq!(fence.check(), Err(LeaseLost));
        fence.extend(Instant::now(), Duration::from_secs(10));
        assert_eq!(fence.check(), Ok(()));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(fence.check(), Ok(()));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(fence.check(), Err(LeaseLost));
        assert_eq!(Fence::open().check(), Ok(()));
    }
}
