//! Whether a peer lives, for the streams that come from it or go to it.
//!
//! A forwarded stream is a connection of its own, in which nothing tells a quiet peer from one that has vanished: bytes may wait for a reader for
//! as long as that likes. (So may TCP's own probes: with `TCP_USER_TIMEOUT` Linux ends connections whose reader stalls.) What tells is the list
//! of routes, on which every peer is heard every few seconds.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::links::SILENCE;

/// When each peer was last heard.
#[derive(Default)]
pub(crate) struct Pulses(Mutex<HashMap<String, Pulse>>);

struct Pulse {
    last: Arc<Mutex<Instant>>,
    watches: Arc<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pulses {
    /// The peer was heard just now by who listens to it.
    pub(super) fn beat(&self, peer: &str) {
        let now = Instant::now();
        let mut all = lock(&self.0);
        let pulse = all.entry(peer.to_owned()).or_insert_with(|| Pulse {
            last: Arc::new(Mutex::new(now)),
            watches: Arc::default(),
        });
        *lock(&pulse.last) = now;
    }

    /// The peer has shown otherwise that it lives.
    pub(super) fn seen(&self, peer: &str) {
        if let Some(pulse) = lock(&self.0).get(peer) {
            *lock(&pulse.last) = Instant::now();
        }
    }

    /// Watches a peer; `None` if nobody listens to it, so that its silence means nothing.
    pub(super) fn watch(&self, peer: &str) -> Option<Watch> {
        let all = lock(&self.0);
        let pulse = all.get(peer)?;
        Some(Watch {
            last: pulse.last.clone(),
            _watches: pulse.watches.clone(),
        })
    }

    /// Whether a stream depends on the peer.
    pub(super) fn is_watched(&self, peer: &str) -> bool {
        let all = lock(&self.0);
        all.get(peer)
            .is_some_and(|pulse| Arc::strong_count(&pulse.watches) > 1)
    }

    /// Nobody listens to the peer any more.
    pub(super) fn forget(&self, peer: &str) {
        lock(&self.0).remove(peer);
    }
}

/// A stream's view of its peer.
#[derive(Clone)]
pub(super) struct Watch {
    last: Arc<Mutex<Instant>>,
    _watches: Arc<()>,
}

impl Watch {
    /// Waits until the peer has been silent for too long.
    pub(super) async fn silent(self) {
        loop {
            let until = *lock(&self.last) + SILENCE;
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// What ends a stream whose peer is silent.
pub(super) fn vanished() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the process of the hub at the other end has been silent for too long",
    )
}

type Silent = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection to a peer that breaks when the peer falls silent. Reader and writer may be two tasks: each has a clock that wakes it.
pub(super) struct Watched<T> {
    io: T,
    read: Silent,
    write: Silent,
}

impl<T> Watched<T> {
    pub(super) fn new(io: T, watch: &Watch) -> Self {
        Self {
            io,
            read: Box::pin(watch.clone().silent()),
            write: Box::pin(watch.clone().silent()),
        }
    }
}

/// What moves is alive; only who waits looks at the clock. A clock that has rung is not asked again: the stream is at its end then.
fn or_vanished<V>(
    done: Poll<io::Result<V>>,
    silent: &mut Silent,
    cx: &mut Context<'_>,
) -> Poll<io::Result<V>> {
    if done.is_ready() {
        return done;
    }
    match silent.as_mut().poll(cx) {
        Poll::Ready(()) => {
            *silent = Box::pin(std::future::ready(()));
            Poll::Ready(Err(vanished()))
        }
        Poll::Pending => Poll::Pending,
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.io).poll_read(cx, buffer);
        or_vanished(done, &mut self.read, cx)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.io).poll_write(cx, bytes);
        or_vanished(done, &mut self.write, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.io).poll_flush(cx);
        or_vanished(done, &mut self.write, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.io).poll_shutdown(cx);
        or_vanished(done, &mut self.write, cx)
    }
}
