//! Exponential backoff with full jitter.

use std::time::Duration;

/// How long to wait before try `n + 1`: a random share of `base * 2^n`, at most `cap`, so that many clients that failed
/// together do not return together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first wait.
    pub base: Duration,
    /// Upper bound of every wait.
    pub cap: Duration,
}

/// No wait is shorter than this share of its upper bound: pure full jitter may draw zero and turn a failing loop hot.
const FLOOR: f64 = 0.1;

impl Backoff {
    /// For retries of one object: 0.5 s doubling to 60 s (KubeFed: 5 s to 60 s).
    pub const OBJECT: Self = Self {
        base: Duration::from_millis(500),
        cap: Duration::from_secs(60),
    };
    /// For reopening a watch or reconnecting: 0.2 s doubling to 15 s.
    pub const STREAM: Self = Self {
        base: Duration::from_millis(200),
        cap: Duration::from_secs(15),
    };

    /// The wait after `failures` failures in a row (counted from 0), for a chance in `0.0..1.0`.
    #[must_use]
    pub fn delay(&self, failures: u32, chance: f64) -> Duration {
        let bound = self
            .base
            .saturating_mul(2_u32.saturating_pow(failures.min(31)))
            .min(self.cap);
        bound.mul_f64(FLOOR + (1.0 - FLOOR) * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_never_vanish() {
        let backoff = Backoff::OBJECT;
        assert_eq!(backoff.delay(0, 1.0), Duration::from_millis(500));
        assert_eq!(backoff.delay(3, 1.0), Duration::from_secs(4));
        assert_eq!(backoff.delay(40, 1.0), Duration::from_secs(60));
        assert_eq!(backoff.delay(0, 0.0), Duration::from_millis(50));
        assert_eq!(backoff.delay(u32::MAX, 0.0), Duration::from_secs(6));
    }
}
