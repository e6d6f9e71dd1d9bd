//! Where both ends meet the machine: wall clock, chance, sockets.
//!
//! Everything else in this crate runs on tokio's clock and on what is handed in here, so that a test can pause time and put any network
//! between hub and agent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use crate::address::HostPort;

/// Wall clock and randomness. Cheap to clone; all clones share the same source.
#[derive(Clone)]
pub struct Seams {
    now: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    random: Arc<dyn Fn() -> u128 + Send + Sync>,
}

impl Seams {
    /// The machine's clock and the operating system's randomness.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the seam: the one place that asks the machine"
    )]
    #[must_use]
    pub fn system() -> Self {
        Self {
            now: Arc::new(UnixTime::now),
            random: Arc::new(rand::random::<u128>),
        }
    }

    /// A clock and a source of 128 random bits at a time that a test chooses. Tokens and serial numbers are made from the latter: outside of
    /// tests it must be fit for secrets.
    pub fn new(
        now: impl Fn() -> UnixTime + Send + Sync + 'static,
        random: impl Fn() -> u128 + Send + Sync + 'static,
    ) -> Self {
        Self {
            now: Arc::new(now),
            random: Arc::new(random),
        }
    }

    /// The present time, in whole seconds. Only certificates and tokens are judged by it, never durations.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        (self.now)()
    }

    /// 128 random bits.
    #[must_use]
    pub fn random(&self) -> u128 {
        (self.random)()
    }

    /// A number in `0.0..1.0`, for jitter.
    #[must_use]
    pub fn unit(&self) -> f64 {
        // The 53 bits that a double can hold.
        (self.random() >> 75) as f64 / (1_u64 << 53) as f64
    }
}

impl std::fmt::Debug for Seams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seams")
    }
}

impl rustls::time_provider::TimeProvider for Seams {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.now())
    }
}

/// A byte stream in both directions: a socket, a TLS session, one connection through a tunnel, or a test's pipe.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// Any [`Io`].
pub type BoxIo = Box<dyn Io>;

/// How an agent reaches a hub: below TLS.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Opens a socket to a hub. May be dropped at any time; the caller limits how long it takes.
    async fn connect(&self, hub: &HostPort) -> io::Result<BoxIo>;
}

/// Where a hub gets the agents' sockets from: below TLS.
#[async_trait]
pub trait Listener: Send + 'static {
    /// Waits for the next socket; the text names the other side, for logs. May be dropped at any time. After an error the caller waits a
    /// moment and calls again.
    async fn accept(&mut self) -> io::Result<(BoxIo, String)>;
}

#[async_trait]
impl Listener for TcpListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, String)> {
        let (socket, from) = TcpListener::accept(self).await?;
        socket.set_nodelay(true)?;
        Ok((Box::new(socket), from.to_string()))
    }
}

/// How long to wait after a listener's error: out of file descriptors, mostly, which others will give back.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
