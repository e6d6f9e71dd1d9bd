//! One connection through the tunnel: one HTTP/2 stream as a byte stream.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{FlowControl, Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The open streams of one connection, for measuring what waits in them.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    next: AtomicU64,
    open: Mutex<HashMap<u64, FlowControl>>,
}

impl Flows {
    fn insert(&self, flow: FlowControl) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, flow);
        id
    }

    fn remove(&self, id: u64) {
        let gone = self.lock().remove(&id);
        // Dropped outside of our lock: it takes the library's.
        drop(gone);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, FlowControl>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that have arrived and were not read, and how many streams are open.
    pub(crate) fn measure(&self) -> (u64, u64) {
        let open = self.lock();
        let used = open.values().map(|flow| flow.used_capacity() as u64).sum();
        (used, open.len() as u64)
    }

    /// Streams open now.
    pub(crate) fn count(&self) -> u64 {
        self.lock().len() as u64
    }
}

/// Takes a stream out of the books when it is dropped.
struct Entry {
    flows: Arc<Flows>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.flows.remove(self.id);
    }
}

fn io_error(error: h2::Error) -> io::Error {
    let kind = match error.reason() {
        Some(Reason::CANCEL | Reason::NO_ERROR) => io::ErrorKind::ConnectionReset,
        _ => io::ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, error)
}

/// The half that reads. The peer may send more only once bytes were taken out of here: that is the back-pressure.
pub(crate) struct Incoming {
    stream: RecvStream,
    chunk: Bytes,
    /// Bytes of the chunk that are to be released once it is used up.
    held: usize,
}

impl Incoming {
    /// The next bytes; empty at the end. The caller calls [`Incoming::release`] with their number once they are where they belong.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        loop {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => return Poll::Ready(Ok(chunk)),
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Ok(Bytes::new())),
            }
        }
    }

    /// Lets the peer send `n` more bytes.
    pub(crate) fn release(&mut self, n: usize) {
        // Fails only for more than was received, or on a stream that is gone.
        let _ = self.stream.flow_control().release_capacity(n);
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.chunk.is_empty() {
            self.chunk = ready!(self.poll_chunk(cx))?;
            self.held = self.chunk.len();
        }
        let n = self.chunk.len().min(buf.remaining());
        buf.put_slice(&self.chunk[..n]);
        self.chunk.advance(n);
        if self.chunk.is_empty() && self.held > 0 {
            let held = std::mem::take(&mut self.held);
            self.release(held);
        }
        Poll::Ready(Ok(()))
    }
}

/// The half that writes.
pub(crate) struct Outgoing {
    stream: SendStream<Bytes>,
    finished: bool,
}

impl Outgoing {
    /// Waits until the peer takes bytes; says how many, at most `wanted`.
    pub(crate) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        self.stream.reserve_capacity(wanted);
        loop {
            let room = self.stream.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room.min(wanted)));
            }
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }

    /// Sends bytes for which there is room.
    pub(crate) fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        self.stream.send_data(bytes, false).map_err(io_error)
    }

    /// Says that nothing follows. The other direction goes on.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.stream.send_data(Bytes::new(), true).map_err(io_error)
    }

    /// Ends the stream in both directions, as an error for the peer.
    pub(crate) fn abort(&mut self) {
        self.stream.send_reset(Reason::CANCEL);
    }

    /// Waits until the peer ends the stream as an error.
    pub(crate) fn poll_aborted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(|_| ())
    }
}

impl AsyncWrite for Outgoing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let n = ready!(self.poll_room(cx, buf.len()))?;
        self.send(Bytes::copy_from_slice(&buf[..n]))?;
        Poll::Ready(Ok(n))
    }

    /// The connection writes by itself; there is nothing to wait for.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}

/// A connection through the tunnel.
///
/// Reading ends with `Ok(0)` when the other side has shut down its direction, and with `ConnectionReset` or `ConnectionAborted` when it, the
/// agent or the tunnel broke. Shutting down ends the one direction only. Dropping it earlier ends both as an error for the other side. Bytes
/// that nobody reads hold back their sender, and nobody else.
pub struct TunnelStream {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    _entry: Entry,
}

impl TunnelStream {
    pub(crate) fn new(
        send: SendStream<Bytes>,
        mut receive: RecvStream,
        flows: &Arc<Flows>,
    ) -> Self {
        let id = flows.insert(receive.flow_control().clone());
        Self {
            incoming: Incoming {
                stream: receive,
                chunk: Bytes::new(),
                held: 0,
            },
            outgoing: Outgoing {
                stream: send,
                finished: false,
            },
            _entry: Entry {
                flows: flows.clone(),
                id,
            },
        }
    }
}

impl TunnelStream {
    /// Copies between this stream and a socket until both directions have ended or one broke; cheaper than copying through [`AsyncRead`] and
    /// [`AsyncWrite`]. Ends are passed on as they are. Returns the bytes taken out of the tunnel and those put into it.
    ///
    /// # Errors
    /// The first break of either side; both are broken then.
    pub async fn splice(self, socket: impl crate::seams::Io) -> io::Result<(u64, u64)> {
        let (copied, result) = super::splice(self, socket).await;
        result.map(|()| (copied.out, copied.back))
    }
}

impl std::fmt::Debug for TunnelStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TunnelStream({:?})", self.incoming.stream.stream_id())
    }
}

impl AsyncRead for TunnelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_read(cx, buf)
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.outgoing).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outgoing).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outgoing).poll_shutdown(cx)
    }
}
