//! A network in memory that can be slow, lossy and cut.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::address::HostPort;
use crate::seams::{BoxIo, Connector, Listener, Seams};

/// What the network is like now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// One way.
    pub(crate) latency: Duration,
    /// How many of 100 chunks are "lost": they come a retransmission (200 ms) later, and hold up what is behind them.
    pub(crate) loss: u8,
    /// Nothing arrives, and nobody is told.
    pub(crate) black_hole: bool,
    /// Connecting fails at once.
    pub(crate) refuse: bool,
}

#[derive(Default)]
struct State {
    listeners: HashMap<HostPort, mpsc::Sender<DuplexStream>>,
    links: CancellationToken,
    connects: u64,
}

/// The network. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Net {
    state: Arc<Mutex<State>>,
    weather: watch::Sender<Weather>,
    seams: Seams,
}

impl Net {
    pub(crate) fn new(seams: &Seams) -> Self {
        Self {
            state: Arc::default(),
            weather: watch::Sender::default(),
            seams: seams.clone(),
        }
    }

    pub(crate) fn weather(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }

    /// Breaks every connection.
    pub(crate) fn reset_all(&self) {
        let mut state = self.state.lock().unwrap();
        std::mem::take(&mut state.links).cancel();
    }

    /// Connections made so far, also failed ones.
    pub(crate) fn connects(&self) -> u64 {
        self.state.lock().unwrap().connects
    }

    pub(crate) fn listen(&self, at: &HostPort) -> NetListener {
        let (sender, sockets) = mpsc::channel(64);
        self.state
            .lock()
            .unwrap()
            .listeners
            .insert(at.clone(), sender);
        NetListener { sockets }
    }

    async fn open(&self, to: &HostPort) -> io::Result<DuplexStream> {
        let (listener, cut) = {
            let mut state = self.state.lock().unwrap();
            state.connects += 1;
            (state.listeners.get(to).cloned(), state.links.child_token())
        };
        let weather = self.weather.borrow().clone();
        if weather.refuse {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let mut now = self.weather.subscribe();
        // A SYN into a black hole.
        let _ = now.wait_for(|weather| !weather.black_hole).await;
        sleep(weather.latency * 2).await;
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (ours, inner) = duplex(64 * 1024);
        let (theirs, outer) = duplex(64 * 1024);
        listener
            .send(theirs)
            .await
            .map_err(|_| io::ErrorKind::ConnectionRefused)?;
        self.relay(inner, outer, cut);
        Ok(ours)
    }

    fn relay(&self, a: DuplexStream, b: DuplexStream, cut: CancellationToken) {
        let (a_read, a_write) = split(a);
        let (b_read, b_write) = split(b);
        let there = self.clone().carry(a_read, b_write);
        let back = self.clone().carry(b_read, a_write);
        tokio::spawn(async move {
            tokio::select! {
                _ = async { tokio::join!(there, back) } => {}
                () = cut.cancelled() => {}
            }
        });
    }

    /// One direction: chunks with their time of arrival go through a queue.
    async fn carry(self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let (queue, mut arriving) = mpsc::channel::<(Instant, Bytes)>(256);
        let send = async {
            let mut buffer = BytesMut::new();
            loop {
                buffer.reserve(16 * 1024);
                match from.read_buf(&mut buffer).await {
                    Ok(n) if n > 0 => {}
                    _ => break,
                }
                let weather = self.weather.borrow().clone();
                let mut at = Instant::now() + weather.latency;
                if self.seams.unit() * 100.0 < f64::from(weather.loss) {
                    at += Duration::from_millis(200);
                }
                if queue.send((at, buffer.split().freeze())).await.is_err() {
                    break;
                }
            }
            drop(queue);
        };
        let receive = async {
            let mut now = self.weather.subscribe();
            while let Some((at, chunk)) = arriving.recv().await {
                sleep_until(at).await;
                let _ = now.wait_for(|weather| !weather.black_hole).await;
                if to.write_all(&chunk).await.is_err() {
                    break;
                }
            }
            let _ = to.shutdown().await;
        };
        tokio::join!(send, receive);
    }
}

#[async_trait]
impl Connector for Net {
    async fn connect(&self, hub: &HostPort) -> io::Result<BoxIo> {
        Ok(Box::new(self.open(hub).await?))
    }
}

pub(crate) struct NetListener {
    sockets: mpsc::Receiver<DuplexStream>,
}

#[async_trait]
impl Listener for NetListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, String)> {
        match self.sockets.recv().await {
            Some(socket) => Ok((Box::new(socket), "simulated".to_owned())),
            None => std::future::pending().await,
        }
    }
}
