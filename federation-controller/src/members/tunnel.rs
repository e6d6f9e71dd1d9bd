//! Members that are reached through their agents' tunnels: how, and whether their agents are there.

use std::collections::{HashMap, HashSet};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// A byte stream to a member's API server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// A stream through a tunnel cannot be had. The text is a whole sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TunnelDialError(pub String);

/// Whether agents of a cluster are connected to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelState {
    /// Nobody can tell now: whoever wants to know tries.
    Unknown,
    /// An agent is connected.
    Up,
    /// No agent is connected: trying is pointless.
    Down,
}

/// The tunnels of the hub, in this process or in another one.
#[async_trait]
pub trait Tunnels: Send + Sync + 'static {
    /// Opens a stream to the API server of a physical cluster. `endpoint` is the cluster's `spec.apiEndpoint`.
    ///
    /// # Errors
    /// No agent is connected, or the agent cannot do it.
    async fn dial(&self, cluster: &str, endpoint: &Uri)
    -> Result<Box<dyn Stream>, TunnelDialError>;

    /// Whether a physical cluster's agents are connected, now and from now on.
    fn state(&self, cluster: &str) -> watch::Receiver<TunnelState>;
}

/// What is known of all tunnels, for implementations of [`Tunnels`]. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct TunnelBoard(Arc<Mutex<Board>>);

#[derive(Debug)]
struct Board {
    /// The state of every cluster that is not listed.
    others: TunnelState,
    clusters: HashMap<String, watch::Sender<TunnelState>>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            others: TunnelState::Unknown,
            clusters: HashMap::new(),
        }
    }
}

impl Board {
    fn cluster(&mut self, cluster: &str) -> &watch::Sender<TunnelState> {
        let others = self.others;
        self.clusters
            .entry(cluster.to_owned())
            .or_insert_with(|| watch::Sender::new(others))
    }

    fn all(&mut self, others: TunnelState, state: impl Fn(&str) -> TunnelState) {
        self.others = others;
        for (name, sender) in &self.clusters {
            put(sender, state(name));
        }
    }
}

fn put(sender: &watch::Sender<TunnelState>, state: TunnelState) {
    sender.send_if_modified(|held| std::mem::replace(held, state) != state);
}

impl TunnelBoard {
    fn lock(&self) -> std::sync::MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cluster's state, now and from now on.
    #[must_use]
    pub fn subscribe(&self, cluster: &str) -> watch::Receiver<TunnelState> {
        self.lock().cluster(cluster).subscribe()
    }

    /// Notes that a cluster's tunnel is up or down.
    pub fn set(&self, cluster: &str, is_up: bool) {
        put(self.lock().cluster(cluster), of(is_up));
    }

    /// Notes that exactly these are up.
    pub fn replace(&self, up: &HashSet<String>) {
        let mut board = self.lock();
        for cluster in up {
            board.cluster(cluster);
        }
        board.all(TunnelState::Down, |name| of(up.contains(name)));
    }

    /// Notes that nothing is known any more.
    pub fn forget(&self) {
        self.lock()
            .all(TunnelState::Unknown, |_| TunnelState::Unknown);
    }
}

fn of(is_up: bool) -> TunnelState {
    if is_up {
        TunnelState::Up
    } else {
        TunnelState::Down
    }
}

/// What a member's loop goes by. Without a tunnel it never says anything.
pub(super) struct TunnelWatch(pub(super) Option<watch::Receiver<TunnelState>>);

/// How long an agent may be away before its member is: it may just have been replaced.
const GRACE: Duration = Duration::from_secs(1);

impl TunnelWatch {
    /// Whether the tunnel is down, and was not just for a moment.
    pub(super) async fn is_down(&mut self) -> bool {
        let Some(state) = &mut self.0 else {
            return false;
        };
        let comes_back = state.wait_for(|state| *state != TunnelState::Down);
        match tokio::time::timeout(GRACE, comes_back).await {
            Ok(Ok(_)) => false,
            // Nobody tells any more: then nothing is known.
            Ok(Err(_)) => false,
            Err(_) => true,
        }
    }

    /// Waits until more or something else is known of the tunnel than when [`TunnelWatch::is_down`] last looked.
    pub(super) async fn turned(&mut self) {
        if let Some(state) = &mut self.0
            && state.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Opens connections to one member, for HTTP clients.
#[derive(Clone)]
pub(super) struct TunnelConnector {
    pub(super) cluster: Arc<str>,
    pub(super) endpoint: Uri,
    pub(super) tunnels: Arc<dyn Tunnels>,
}

/// How long a dial may take.
const DIAL: Duration = Duration::from_secs(10);

impl tower::Service<Uri> for TunnelConnector {
    type Response = TokioIo<Tunnelled>;
    type Error = TunnelDialError;
    type Future = BoxFuture<'static, Result<Self::Response, TunnelDialError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TunnelDialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let dial = this.tunnels.dial(&this.cluster, &this.endpoint);
            match tokio::time::timeout(DIAL, dial).await {
                Ok(stream) => Ok(TokioIo::new(Tunnelled(stream?))),
                Err(_) => Err(TunnelDialError(format!(
                    "the tunnel did not connect within {} s",
                    DIAL.as_secs()
                ))),
            }
        })
    }
}

/// A stream as hyper's client takes it.
pub(super) struct Tunnelled(Box<dyn Stream>);

impl Connection for Tunnelled {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Tunnelled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tunnelled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> HashSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_board_tells_everybody_what_is_known() {
        let board = TunnelBoard::default();
        let a = board.subscribe("a");
        assert_eq!(*a.borrow(), TunnelState::Unknown);
        board.replace(&names(&["b"]));
        assert_eq!(*a.borrow(), TunnelState::Down);
        assert_eq!(*board.subscribe("b").borrow(), TunnelState::Up);
        assert_eq!(*board.subscribe("c").borrow(), TunnelState::Down);
        board.set("a", true);
        assert_eq!(*a.borrow(), TunnelState::Up);
        board.forget();
        assert_eq!(*a.borrow(), TunnelState::Unknown);
        assert_eq!(*board.subscribe("d").borrow(), TunnelState::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_is_replaced_is_not_missed() {
        let board = TunnelBoard::default();
        let mut watch = TunnelWatch(Some(board.subscribe("a")));
        assert!(!watch.is_down().await, "nobody can tell");
        board.set("a", false);
        let back = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            board.set("a", true);
        };
        let (down, ()) = tokio::join!(watch.is_down(), back);
        assert!(!down);
        board.set("a", false);
        assert!(watch.is_down().await);
        let up = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            board.set("a", true);
        };
        tokio::join!(watch.turned(), up);
        // An agent that comes while nobody can tell whether there was one is worth a look, too.
        board.forget();
        assert!(!watch.is_down().await);
        board.set("a", true);
        watch.turned().await;
        assert!(!TunnelWatch(None).is_down().await);
    }
}
