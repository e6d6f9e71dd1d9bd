//! Copies between two connections.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use crate::seams::Io;

/// Buffer of a direction that says little.
const SMALL: usize = 4 << 10;
/// Buffer of a direction that fills the small one, and the longest DATA that comes of it.
const LARGE: usize = 32 << 10;
/// How long the second direction may be silent once the first has ended. Neither side can be relied upon to notice.
const HALF_CLOSED: Duration = Duration::from_secs(10);

/// Copies both ways until both directions have ended or one broke, then drops both. The end of a direction is passed on as such. Gives the
/// bytes from the first to the second and back.
pub(crate) async fn splice(first: impl Io, second: impl Io) -> io::Result<(u64, u64)> {
    let ((mut first_read, mut first_write), (mut second_read, mut second_write)) =
        (split(first), split(second));
    let (there, back) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut one = pin!(copy(&mut first_read, &mut second_write, &there));
    let mut other = pin!(copy(&mut second_read, &mut first_write, &back));
    tokio::select! {
        ended = &mut one => { ended?; finish(&mut other, &back).await? }
        ended = &mut other => { ended?; finish(&mut one, &there).await? }
    }
    Ok((there.load(Ordering::Relaxed), back.load(Ordering::Relaxed)))
}

/// Lets a direction end, unless it falls silent first.
async fn finish(
    mut direction: impl Future<Output = io::Result<()>> + Unpin,
    copied: &AtomicU64,
) -> io::Result<()> {
    loop {
        let before = copied.load(Ordering::Relaxed);
        match tokio::time::timeout(HALF_CLOSED, &mut direction).await {
            Ok(ended) => return ended,
            Err(_) if copied.load(Ordering::Relaxed) == before => return Ok(()),
            Err(_) => {}
        }
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    copied: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(SMALL);
    loop {
        if buffer.len() >= SMALL {
            buffer.reserve_exact(LARGE.saturating_sub(buffer.len()));
        }
        buffer.clear();
        if (&mut *from)
            .take(LARGE as u64)
            .read_buf(&mut buffer)
            .await?
            == 0
        {
            return to.shutdown().await;
        }
        to.write_all(&buffer).await?;
        to.flush().await?;
        copied.fetch_add(buffer.len() as u64, Ordering::Relaxed);
    }
}
