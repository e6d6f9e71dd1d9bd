//! Seams for wall-clock time and randomness. Monotonic time is tokio's, which tests can pause.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the wall-clock time that is written into API objects. Never used to measure durations.
pub trait Clock: Send + Sync + 'static {
    /// The present instant in UTC.
    fn now(&self) -> Timestamp;
}

/// A source of chance, for jitter only: nothing secret is made from it.
pub trait Entropy: Send + Sync + 'static {
    /// A number in `0.0..1.0`.
    fn unit(&self) -> f64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the seam")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The thread's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the seam")]
    fn unit(&self) -> f64 {
        rand::random::<f64>()
    }
}

/// The two seams together, as reconcilers carry them.
#[derive(Clone)]
pub struct Env {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Env {
    /// An environment made of the given seams.
    #[must_use]
    pub fn new(clock: impl Clock, entropy: impl Entropy) -> Self {
        Self {
            clock: Arc::new(clock),
            entropy: Arc::new(entropy),
        }
    }

    /// The present wall-clock instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A number in `0.0..1.0`.
    #[must_use]
    pub fn unit(&self) -> f64 {
        self.entropy.unit()
    }

    /// Eight hexadecimal digits, to tell one process from another.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{:08x}", (self.unit() * f64::from(u32::MAX)) as u32)
    }
}

impl Default for Env {
    fn default() -> Self {
        Self::new(SystemClock, SystemEntropy)
    }
}
