//! Small writes put together.
//!
//! HTTP/2 flushes after every frame that is too large to copy, and a frame is an event of one watch: each would become a TLS record
//! and a system call of its own, and with many watches on a connection that is most of what an event costs. So a flush waits until
//! the connection's task is polled again, which is after all tasks that are ready to run now: those are the other watches of the same
//! connection, with the same event.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is put together: what fits into one TLS record.
const CAPACITY: usize = 16 * 1024;
/// Writes from this size on are not copied: there is little to win.
const LARGE: usize = 8 * 1024;
/// How many flushes may be put off without a read in between. A connection's task reads first whenever it is polled; should it not, the
/// last of these flushes all the same.
const PATIENCE: u32 = 64;

/// A stream whose flushes are put off until its task is polled again.
#[derive(Debug)]
pub(super) struct Gather<S> {
    stream: S,
    /// What was written and has not been handed on, from `sent` on.
    buffer: Vec<u8>,
    sent: usize,
    /// Flushes that were put off since something was handed on.
    postponed: u32,
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            sent: 0,
            postponed: 0,
        }
    }

    /// Hands everything on to the stream below.
    fn hand_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.buffer.len() {
            let rest = &self.buffer[self.sent..];
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
        }
        // Idle connections hold no buffer.
        self.buffer = Vec::new();
        self.sent = 0;
        self.postponed = 0;
        Poll::Ready(Ok(()))
    }

    fn flush_now(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.hand_on(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.postponed > 0
            && let Poll::Ready(Err(error)) = self.flush_now(cx)
        {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size: usize = slices.iter().map(|slice| slice.len()).sum();
        if size >= LARGE {
            ready!(self.hand_on(cx))?;
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        if self.buffer.len() + size > CAPACITY {
            ready!(self.hand_on(cx))?;
        }
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(size.max(1024));
        }
        for slice in slices {
            self.buffer.extend_from_slice(slice);
        }
        Poll::Ready(Ok(size))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() || self.postponed >= PATIENCE {
            return self.flush_now(cx);
        }
        self.postponed += 1;
        // The task is to be polled again, but behind those that are ready now.
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.flush_now(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Counts what reaches it.
    #[derive(Debug, Default)]
    struct Counted {
        writes: Vec<usize>,
        flushes: usize,
    }

    impl AsyncRead for Counted {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes.push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes and flushes as HTTP/2 does with a frame.
    fn frame(io: &mut Gather<Counted>, cx: &mut Context<'_>, size: usize) {
        let bytes = vec![7; size];
        let written = Pin::new(&mut *io).poll_write(cx, &bytes);
        assert!(matches!(written, Poll::Ready(Ok(count)) if count == size));
        assert!(Pin::new(io).poll_flush(cx).is_ready());
    }

    fn poll_read(io: &mut Gather<Counted>, cx: &mut Context<'_>) {
        let mut space = [0; 8];
        let mut buffer = ReadBuf::new(&mut space);
        assert!(Pin::new(io).poll_read(cx, &mut buffer).is_pending());
    }

    #[tokio::test]
    async fn frames_of_one_turn_leave_together_in_the_next() {
        let mut io = Gather::new(Counted::default());
        poll_fn(|cx| {
            for _ in 0..20 {
                frame(&mut io, cx, 400);
            }
            assert!(io.stream.writes.is_empty());
            poll_read(&mut io, cx);
            assert_eq!((&io.stream.writes[..], io.stream.flushes), (&[8000][..], 1));
            // Nothing is left to be done, and nothing is held.
            poll_read(&mut io, cx);
            assert_eq!((io.stream.flushes, io.buffer.capacity()), (1, 0));
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn large_writes_pass_and_keep_their_place() {
        let mut io = Gather::new(Counted::default());
        poll_fn(|cx| {
            frame(&mut io, cx, 100);
            frame(&mut io, cx, LARGE);
            assert_eq!(io.stream.writes, [100, LARGE]);
            for _ in 0..5 {
                frame(&mut io, cx, 4000);
            }
            assert_eq!(io.stream.writes, [100, LARGE, 16_000]);
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_task_that_never_reads_gets_its_bytes_out_too() {
        let (near, mut far) = duplex(1000);
        let mut io = Gather::new(near);
        let writer = tokio::spawn(async move {
            io.write_all(b"hello").await.unwrap();
            // A flush that is put off wakes its task.
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                let flushed = Pin::new(&mut io).poll_flush(cx);
                assert!(flushed.is_ready());
                match io.buffer.is_empty() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            assert!(polls > 1);
            io
        });
        let mut read = [0; 5];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
        drop(writer.await.unwrap());
    }

    #[tokio::test]
    async fn everything_arrives_in_order_through_a_narrow_pipe() {
        let (near, mut far) = duplex(100);
        let mut io = Gather::new(near);
        let sent: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            for piece in sent.chunks(777) {
                io.write_all(piece).await.unwrap();
                io.flush().await.unwrap();
            }
            io.shutdown().await.unwrap();
        });
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        writer.await.unwrap();
        assert!(read == expected);
    }
}
