//! One connection as bytes.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Session;
use crate::konnectivity::machine::{Connections, End, Read};
use crate::konnectivity::wire::ConnectionId;

/// How long a connection whose writing side was shut down may be silent before it is closed: the protocol cannot tell the other side
/// of it, so it may wait for an end that never comes. Upstream closes at once and loses the answer.
const HALF_CLOSED: Duration = Duration::from_secs(10);

/// One connection through a stream of packets. Reading gives an end of file where the other side closed, and an error with the reason
/// where it was cut off. Dropping it closes it.
pub(crate) struct ProxiedStream {
    session: Session<dyn Connections + Send>,
    id: ConnectionId,
    linger: Option<Pin<Box<Sleep>>>,
}

impl ProxiedStream {
    pub(crate) fn new(session: Session<dyn Connections + Send>, id: ConnectionId) -> Self {
        Self {
            session,
            id,
            linger: None,
        }
    }
}

impl Drop for ProxiedStream {
    fn drop(&mut self) {
        self.session.with(|machine| machine.abandon(self.id));
    }
}

impl AsyncRead for ProxiedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let most = buffer.remaining();
        let read = this
            .session
            .with(|machine| machine.read(this.id, most, cx.waker()));
        match (read, &mut this.linger) {
            (Poll::Ready(Read::Data(bytes)), linger) => {
                buffer.put_slice(&bytes);
                if let Some(linger) = linger {
                    linger.as_mut().reset(Instant::now() + HALF_CLOSED);
                }
                Poll::Ready(Ok(()))
            }
            (Poll::Ready(Read::End(end)), _) => Poll::Ready(end.into_read()),
            (Poll::Pending, Some(linger)) => {
                ready!(linger.as_mut().poll(cx));
                this.session.with(|machine| machine.abandon(this.id));
                Poll::Ready(Ok(()))
            }
            (Poll::Pending, None) => Poll::Pending,
        }
    }
}

impl AsyncWrite for ProxiedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.session
            .with(|machine| machine.write(self.id, data, cx.waker()))
            .map_err(End::into_write)
    }

    /// What was written is queued for the stream and goes out without further ado.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.with(|machine| machine.shutdown(self.id));
        if self.linger.is_none() {
            self.linger = Some(Box::pin(tokio::time::sleep(HALF_CLOSED)));
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for ProxiedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxiedStream")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl End {
    fn into_read(self) -> io::Result<()> {
        let (kind, text) = match self {
            Self::Closed => return Ok(()),
            Self::Failed(why) => (
                io::ErrorKind::ConnectionReset,
                format!("closed by the other side: {why}"),
            ),
            Self::OverBudget(bytes) => (
                io::ErrorKind::ConnectionAborted,
                format!(
                    "closed because its reader was {bytes} bytes behind and held up the others"
                ),
            ),
            Self::Lost(why) => (
                io::ErrorKind::ConnectionReset,
                format!("the tunnel ended: {why}"),
            ),
        };
        Err(io::Error::new(kind, text))
    }

    fn into_write(self) -> io::Error {
        match self.into_read() {
            Ok(()) => io::ErrorKind::BrokenPipe.into(),
            Err(error) => error,
        }
    }
}
