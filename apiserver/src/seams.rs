//! The seams through which the server reads the wall clock and draws randomness.
//!
//! Timers go through `tokio::time`, which tests can pause. Everything that ends up in an object (timestamps, uids,
//! generated names) goes through [`Seams`], so that a simulation can give the same bytes for the same seed.

use std::sync::Arc;

use jiff::Timestamp;

/// Wall clock and randomness. Cheap to clone; all clones share the same source.
#[derive(Clone)]
pub struct Seams {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    random: Arc<dyn Fn() -> u128 + Send + Sync>,
}

impl Seams {
    /// The machine's clock and the operating system's randomness.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam: the one place that asks the machine"
    )]
    pub fn system() -> Self {
        Self {
            now: Arc::new(Timestamp::now),
            random: Arc::new(rand::random::<u128>),
        }
    }

    /// A clock and a source of 128 random bits at a time that a test chooses.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        random: impl Fn() -> u128 + Send + Sync + 'static,
    ) -> Self {
        Self {
            now: Arc::new(now),
            random: Arc::new(random),
        }
    }

    /// The current time, in UTC.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The current time as Kubernetes writes it: RFC 3339, whole seconds, `Z`.
    pub fn now_rfc3339(&self) -> String {
        let now = self.now();
        Timestamp::from_second(now.as_second())
            .unwrap_or(now)
            .to_string()
    }

    /// 128 random bits.
    pub fn random(&self) -> u128 {
        (self.random)()
    }

    /// A random (version 4) uid in its hyphenated form.
    pub fn uid(&self) -> String {
        uuid::Builder::from_random_bytes(self.random().to_be_bytes())
            .into_uuid()
            .to_string()
    }
}

impl std::fmt::Debug for Seams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seams")
    }
}
