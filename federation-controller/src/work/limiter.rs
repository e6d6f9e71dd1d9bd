//! A token bucket.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// How many requests a client may send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Requests per second in the long run; zero or less means no limit.
    pub per_second: f64,
    /// Requests that may go out at once after a quiet time; at least one.
    pub burst: u32,
}

impl RateLimit {
    /// For the hub: it is ours and near.
    pub const HUB: Self = Self {
        per_second: 1000.0,
        burst: 2000,
    };
    /// For one member: generous against KubeFed's 20, yet no load a healthy API server would notice.
    pub const MEMBER: Self = Self {
        per_second: 300.0,
        burst: 600,
    };
    /// No limit.
    pub const NONE: Self = Self {
        per_second: 0.0,
        burst: 1,
    };
}

/// Hands out permission to send, in the order of the calls. Waiting is done by the caller's task only, so one exhausted
/// limiter holds up nobody else.
#[derive(Debug)]
pub struct Limiter {
    limit: RateLimit,
    /// The instant at which the bucket would be full again if nobody asked any more.
    full_at: Mutex<Option<Instant>>,
}

impl Limiter {
    /// A limiter whose bucket is full.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            full_at: Mutex::new(None),
        }
    }

    /// Waits until one request may go out. A caller that stops waiting has still spent its token.
    pub async fn acquire(&self) {
        let wait = self.reserve(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a token and tells how long to wait before using it.
    fn reserve(&self, now: Instant) -> Duration {
        if self.limit.per_second <= 0.0 {
            return Duration::ZERO;
        }
        let interval = Duration::from_secs_f64(1.0 / self.limit.per_second);
        let tolerance = interval * self.limit.burst.max(1);
        let mut full_at = self.full_at.lock().expect("no holder of this lock panics");
        let next_full = full_at.map_or(now, |at| at.max(now)) + interval;
        *full_at = Some(next_full);
        (next_full - now).saturating_sub(tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_the_rest_is_spaced() {
        let limiter = Limiter::new(RateLimit {
            per_second: 10.0,
            burst: 3,
        });
        let now = Instant::now();
        let waits: Vec<_> = (0..5).map(|_| limiter.reserve(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        let later = now + Duration::from_secs(60);
        assert_eq!(limiter.reserve(later), Duration::ZERO);
    }

    #[test]
    fn no_rate_means_no_limit() {
        let limiter = Limiter::new(RateLimit {
            per_second: 0.0,
            burst: 0,
        });
        for _ in 0..1000 {
            assert_eq!(limiter.reserve(Instant::now()), Duration::ZERO);
        }
    }
}
