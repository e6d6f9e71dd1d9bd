//! What users of a tunnel do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use federation_tunnel::BoxIo;
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::front::Front;
use crate::target::{ECHO, FLOOD, TAKE};

/// Nothing takes longer.
const LONG: Duration = Duration::from_secs(60);

async fn open(front: &Front, what: u8) -> Result<BoxIo> {
    let mut socket = timeout(LONG, front.connect()).await??;
    socket.write_all(&[what]).await?;
    Ok(socket)
}

/// Takes `bytes` from the target, shared by `streams` streams.
pub(crate) async fn download(front: &Front, streams: u64, bytes: u64) -> Result<()> {
    let one = async || {
        let mut socket = open(front, FLOOD).await?;
        let mut buffer = vec![0; 256 * 1024];
        let mut left = bytes / streams;
        while left > 0 {
            let n = timeout(LONG, socket.read(&mut buffer)).await?? as u64;
            ensure!(n > 0, "a download ended early");
            left = left.saturating_sub(n);
        }
        Ok(())
    };
    try_join_all((0..streams).map(|_| one())).await?;
    Ok(())
}

/// Sends `bytes` to the target.
pub(crate) async fn upload(front: &Front, bytes: u64) -> Result<()> {
    let mut socket = open(front, TAKE).await?;
    socket.write_u64(bytes).await?;
    let buffer = vec![3; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let n = left.min(buffer.len() as u64);
        timeout(LONG, socket.write_all(&buffer[..usize::try_from(n)?])).await??;
        left -= n;
    }
    timeout(LONG, socket.read_u8()).await??;
    Ok(())
}

/// Round trips of 256 bytes, one after the other.
pub(crate) async fn round_trips(front: &Front, count: usize) -> Result<Vec<Duration>> {
    let mut socket = open(front, ECHO).await?;
    let (block, mut back) = ([9; 256], [0; 256]);
    let mut all = Vec::with_capacity(count);
    for warming in [true, false] {
        for _ in 0..if warming { 50 } else { count } {
            let start = Instant::now();
            socket.write_all(&block).await?;
            timeout(LONG, socket.read_exact(&mut back)).await??;
            if !warming {
                all.push(start.elapsed());
            }
        }
    }
    Ok(all)
}

/// How long one round trip on a new connection takes beside one whose reader has stopped; `limit` if it takes that or longer, or fails.
pub(crate) async fn trip_beside_stalled(front: &Front, limit: Duration) -> Result<Duration> {
    let _stalled = stalled(front, 1).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    let trip = async {
        let mut socket = open(front, ECHO).await?;
        socket.write_all(b"x").await?;
        anyhow::Ok(socket.read_u8().await?)
    };
    Ok(match timeout(limit, trip).await {
        Ok(Ok(_)) => start.elapsed(),
        _ => limit,
    })
}

/// Connects, exchanges a byte and closes, `count` times, `at_once` at a time; per second.
pub(crate) async fn connects(front: &Front, count: usize, at_once: usize) -> Result<f64> {
    let start = Instant::now();
    let done = Arc::new(AtomicU64::new(0));
    let one = async || {
        while done.fetch_add(1, Ordering::Relaxed) < count as u64 {
            let mut socket = open(front, ECHO).await?;
            socket.write_all(b"x").await?;
            let answer = timeout(LONG, socket.read_u8()).await??;
            ensure!(answer == b'x', "another byte came back");
        }
        Ok(())
    };
    try_join_all((0..at_once).map(|_| one())).await?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Connections that do nothing, each proven to reach the target.
pub(crate) async fn idle(front: &Front, count: usize) -> Result<Vec<BoxIo>> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut socket = open(front, ECHO).await?;
        socket.write_all(b"x").await?;
        timeout(LONG, socket.read_u8()).await??;
        all.push(socket);
    }
    Ok(all)
}

/// Floods that nobody reads.
pub(crate) async fn stalled(front: &Front, count: usize) -> Result<Vec<BoxIo>> {
    try_join_all((0..count).map(|_| open(front, FLOOD))).await
}

async fn read_on(front: Front) {
    let Ok(mut socket) = open(&front, FLOOD).await else {
        return;
    };
    let mut buffer = vec![0; 256 * 1024];
    while matches!(socket.read(&mut buffer).await, Ok(n) if n > 0) {}
}

/// Downloads that go on until dropped.
pub(crate) struct Load(Vec<JoinHandle<()>>);

impl Load {
    pub(crate) fn start(front: &Front, streams: usize) -> Self {
        let one = |_| tokio::spawn(read_on(front.clone()));
        Self((0..streams).map(one).collect())
    }

    /// Whether all of them still run.
    pub(crate) fn check(&self) -> Result<()> {
        let ended = self.0.iter().find(|task| task.is_finished());
        ended.is_none().then_some(()).context("a download ended")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}
