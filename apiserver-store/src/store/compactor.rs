//! Forgetting: the log's oldest part goes, in steps too small to be felt by writers.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{CompactError, Retention, closing::until_closed, feed::Feed};
use crate::{Backend, BackendError, Revision};

/// Log entries deleted per transaction: a few milliseconds of a writer's time.
const STEP: u64 = 256;
/// How often to look, unless the retention age is so short that it asks for more.
const LONGEST_TICK: Duration = Duration::from_secs(10);
const SHORTEST_TICK: Duration = Duration::from_millis(100);

/// What a compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactReport {
    /// The highest revision whose log entry may now be gone; not lower than asked for.
    pub compacted: Revision,
    /// How many log entries were deleted.
    pub removed: u64,
}

/// Compacts through a committed revision: promise first, then delete, so that a reader can never find a part.
pub(super) async fn compact(
    backend: &dyn Backend,
    feed: &Feed,
    through: Revision,
) -> Result<CompactReport, CompactError> {
    let latest = feed.progress().committed;
    if through > latest {
        return Err(CompactError::Future { latest });
    }
    if through > feed.progress().compacted {
        backend.mark_compacted(through).await?;
        feed.compacted(through);
    }
    let mut removed = 0;
    loop {
        let start = Instant::now();
        let step = backend.trim(STEP).await?;
        removed += step;
        if step < STEP {
            return Ok(CompactReport {
                compacted: feed.progress().compacted,
                removed,
            });
        }
        // Leave the disk to others for as long as this took.
        sleep(start.elapsed()).await;
    }
}

/// Applies the retention rule and tidies up, now and then.
pub(super) struct Compactor {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) feed: Arc<Feed>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) retention: Option<Retention>,
}

impl Compactor {
    pub(super) async fn run(self) {
        until_closed(self.closing.clone(), self.work()).await;
    }

    async fn work(&self) {
        let age = self
            .retention
            .as_ref()
            .map_or(LONGEST_TICK, |retention| retention.age / 16);
        let mut ticks = interval(age.clamp(SHORTEST_TICK, LONGEST_TICK));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut measured = self.retention.is_none();
        let mut last = self.feed.progress().committed;
        loop {
            ticks.tick().await;
            let committed = self.feed.progress().committed;
            let idle = committed == last;
            last = committed;
            if let Err(error) = self.step(&mut measured, idle).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the log could not be compacted; trying again later"
                );
            }
        }
    }

    async fn step(&self, measured: &mut bool, idle: bool) -> Result<(), CompactError> {
        if !*measured {
            let first_visit = self.measure().await;
            *measured = first_visit.is_ok();
            first_visit?;
        }
        let compacted = self.feed.progress().compacted;
        let target = self.retention.as_ref().and_then(|policy| {
            self.feed
                .with_marks(|marks| marks.target(Instant::now(), compacted, policy))
        });
        if let Some(through) = target {
            let report = compact(&*self.backend, &self.feed, through).await?;
            tracing::debug!(through = %report.compacted, removed = report.removed, "compacted the log");
        }
        self.backend.upkeep(idle).await?;
        Ok(())
    }

    /// Finishes what an earlier process had begun to delete, and weighs what it left.
    async fn measure(&self) -> Result<(), BackendError> {
        while self.backend.trim(STEP).await? == STEP {
            tokio::task::yield_now().await;
        }
        let observed = self.feed.with_marks(|marks| marks.observed_bytes());
        let total = self.backend.log_bytes().await?;
        self.feed
            .with_marks(|marks| marks.set_initial_bytes(total.saturating_sub(observed)));
        Ok(())
    }
}
