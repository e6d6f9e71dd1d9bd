//! How large the windows of a connection's streams are: as much as the link needs, as little as the budgets leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::settings::{STREAM_WINDOW, STREAM_WINDOW_LEAST, STREAM_WINDOW_MOST};
use super::{Flows, Meter, Share};

/// Between two measurements of a connection on which bytes move.
const BUSY: Duration = Duration::from_millis(250);
/// Between two measurements of a quiet connection.
const QUIET: Duration = Duration::from_secs(5);

/// The window for a link that moved `rate` bytes per second at a round trip of `rtt`, where the budgets leave `fair` bytes per stream.
///
/// A stream that its window holds back moves one window per round trip, so twice what was moved doubles the window until something else is
/// the limit.
fn window(rate: u64, rtt: Option<Duration>, fair: u64) -> u32 {
    let in_flight = rtt.map_or(0, |rtt| {
        let bytes = u128::from(rate) * rtt.as_micros() / 1_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    });
    let wanted = in_flight
        .saturating_mul(2)
        .clamp(STREAM_WINDOW.into(), STREAM_WINDOW_MOST.into());
    let given = wanted.min(fair).max(STREAM_WINDOW_LEAST.into());
    u32::try_from(given).unwrap_or(STREAM_WINDOW_MOST)
}

/// Whether a change is worth a SETTINGS frame: shrinking by an eighth, growing by a half.
fn is_worth(now: u32, next: u32) -> bool {
    next < now - now / 8 || next > now + now / 2 || (next != now && next == STREAM_WINDOW)
}

/// Measures one connection and says what its streams' windows should be.
#[derive(Debug)]
pub(crate) struct Governor {
    meter: Arc<Meter>,
    flows: Arc<Flows>,
    share: Share,
    window: u32,
    moved: u64,
    rate: u64,
    measured: Instant,
    due: Instant,
}

impl Governor {
    pub(crate) fn new(meter: Arc<Meter>, flows: Arc<Flows>, share: Share, now: Instant) -> Self {
        Self {
            moved: meter.read() + meter.written(),
            rate: 0,
            meter,
            flows,
            share,
            window: STREAM_WINDOW,
            measured: now,
            due: now + BUSY,
        }
    }

    /// When to measure next.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Bytes per second at the last measurement, both directions.
    pub(crate) fn rate(&self) -> u64 {
        self.rate
    }

    /// Measures; returns a new window size if it should change. The caller confirms with [`Governor::applied`].
    pub(crate) fn measure(&mut self, now: Instant) -> Option<u32> {
        let total = self.meter.read() + self.meter.written();
        let moved = total - self.moved;
        let millis = u64::try_from((now - self.measured).as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let (used, streams) = self.flows.measure();
        self.share.set(used, streams);
        self.rate = moved.saturating_mul(1000) / millis;
        let next = window(self.rate, self.meter.round_trip(), self.share.fair());
        let busy = moved > 4096 || used > 0;
        self.due = now + if busy { BUSY } else { QUIET };
        (self.moved, self.measured) = (total, now);
        // A quiet connection keeps what it has learned about its link.
        let keep = !busy && next > STREAM_WINDOW_LEAST && next < self.window;
        (!keep && is_worth(self.window, next)).then_some(next)
    }

    /// The window was changed.
    pub(crate) fn applied(&mut self, window: u32) {
        self.window = window;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Budget;
    use super::*;

    #[test]
    fn short_links_keep_the_usual_window_and_long_ones_grow() {
        let gigabit = 125_000_000;
        assert_eq!(
            window(gigabit, Some(Duration::from_micros(200)), u64::MAX),
            STREAM_WINDOW
        );
        assert_eq!(window(gigabit, None, u64::MAX), STREAM_WINDOW);
        assert_eq!(
            window(gigabit, Some(Duration::from_millis(100)), u64::MAX),
            STREAM_WINDOW_MOST
        );
        // Held back by the window: 256 KiB in each round trip of 50 ms. It doubles.
        assert_eq!(
            window(
                u64::from(STREAM_WINDOW) * 20,
                Some(Duration::from_millis(50)),
                u64::MAX
            ),
            2 * STREAM_WINDOW
        );
    }

    proptest! {
        /// However streams come, stall and fill their windows, what waits stays below the budget plus the least window of each stream.
        #[test]
        fn stalled_streams_stay_within_the_budget(arrivals in proptest::collection::vec(1_usize..400, 1..40)) {
            let limit = 64 << 20;
            let budget = Budget::new(limit);
            let mut share = Share::new(vec![budget]);
            let mut held: Vec<u64> = Vec::new();
            for arriving in arrivals {
                held.resize(held.len() + arriving, 0);
                share.set(held.iter().sum(), held.len() as u64);
                let window = u64::from(window(u64::MAX, Some(Duration::from_secs(1)), share.fair()));
                // Every stream of the connection fills the window that it now has.
                for bytes in &mut held {
                    *bytes = (*bytes).max(window);
                }
                let sum: u64 = held.iter().sum();
                prop_assert!(sum <= limit + held.len() as u64 * u64::from(STREAM_WINDOW_LEAST), "{sum}");
            }
        }
    }
}
