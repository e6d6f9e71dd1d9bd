//! How long to wait before the next try: full jitter under a cap.

use std::time::Duration;

/// Bounds of an agent's waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffTiming {
    /// The first wait is at most this; each failure doubles it.
    pub base: Duration,
    /// Never more than this between two tries. All agents of a hub that was away are back within about this time.
    pub cap: Duration,
    /// The cap after a refusal that will not change by itself: a revoked certificate, a used token.
    pub refused_cap: Duration,
    /// A connection that lived so long clears the failures before it.
    pub stable: Duration,
}

impl Default for BackoffTiming {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(15),
            refused_cap: Duration::from_secs(60),
            stable: Duration::from_secs(10),
        }
    }
}

impl BackoffTiming {
    /// The wait after `failures` failures in a row, where `unit` is a random number in `0.0..1.0`: anything up to the window, so that agents that
    /// failed together do not come back together.
    #[must_use]
    pub fn wait(&self, failures: u32, refused: bool, unit: f64) -> Duration {
        let window = self
            .base
            .checked_mul(1_u32.checked_shl(failures.min(20)).unwrap_or(u32::MAX))
            .unwrap_or(self.cap)
            .min(self.cap);
        // What nobody can expect to change is not asked for in the first half of its window.
        if refused {
            self.refused_cap.div_f64(2.0) + self.refused_cap.div_f64(2.0).mul_f64(unit)
        } else {
            window.mul_f64(unit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn waits_stay_below_their_caps(failures: u32, refused: bool, unit in 0.0..1.0) {
            let timing = BackoffTiming::default();
            let wait = timing.wait(failures, refused, unit);
            let cap = if refused { timing.refused_cap } else { timing.cap };
            proptest::prop_assert!(wait <= cap);
            if failures == 0 && !refused {
                proptest::prop_assert!(wait <= timing.base);
            }
        }
    }
}
