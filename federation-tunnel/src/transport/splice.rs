//! Copies between a socket and a stream of the tunnel, without copying the bytes once more.

use std::future::poll_fn;
use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use super::{Incoming, Outgoing, TunnelStream};
use crate::seams::Io;

/// Buffer of a socket that says little: most streams are watches that wait.
const SMALL: usize = 4 * 1024;
/// Buffer of a socket that fills the small one.
const LARGE: usize = 64 * 1024;

/// Bytes copied in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    /// From the tunnel to the socket.
    pub(crate) out: u64,
    /// From the socket to the tunnel.
    pub(crate) back: u64,
}

/// Copies until both directions have ended, or one broke. Each end is passed on as it is: a shutdown of one direction as such, an error as
/// an error, with the other direction broken too.
pub(crate) async fn splice(stream: TunnelStream, socket: impl Io) -> (Copied, io::Result<()>) {
    let mut stream = stream;
    let (mut from, mut to) = tokio::io::split(socket);
    let mut copied = Copied::default();
    let (incoming, outgoing) = (&mut stream.incoming, &mut stream.outgoing);
    let out_ended = Notify::new();
    let result = tokio::try_join!(
        async {
            copy_out(incoming, &mut to, &mut copied.out).await?;
            out_ended.notify_one();
            Ok(())
        },
        copy_back(&mut from, outgoing, &mut copied.back, &out_ended),
    );
    if result.is_err() {
        stream.outgoing.abort();
    }
    (copied, result.map(|_| ()))
}

async fn copy_out(
    incoming: &mut Incoming,
    socket: &mut (impl AsyncWrite + Unpin),
    copied: &mut u64,
) -> io::Result<()> {
    loop {
        let chunk = poll_fn(|cx| incoming.poll_chunk(cx)).await?;
        if chunk.is_empty() {
            return socket.shutdown().await;
        }
        socket.write_all(&chunk).await?;
        *copied += chunk.len() as u64;
        incoming.release(chunk.len());
    }
}

async fn copy_back(
    socket: &mut (impl AsyncRead + Unpin),
    outgoing: &mut Outgoing,
    copied: &mut u64,
    out_ended: &Notify,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    let mut size = SMALL;
    loop {
        buffer.reserve(size);
        let read = tokio::select! {
            read = socket.read_buf(&mut buffer) => read?,
            () = poll_fn(|cx| outgoing.poll_aborted(cx)) => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        };
        if read == 0 {
            outgoing.finish()?;
            // The other direction may be stuck in a socket that takes nothing: a break of the stream must end it.
            return tokio::select! {
                biased;
                () = out_ended.notified() => Ok(()),
                () = poll_fn(|cx| outgoing.poll_aborted(cx)) => Err(io::ErrorKind::ConnectionReset.into()),
            };
        }
        size = if read >= SMALL { LARGE } else { SMALL };
        let mut bytes = buffer.split().freeze();
        while bytes.has_remaining() {
            let room = poll_fn(|cx| outgoing.poll_room(cx, bytes.len())).await?;
            outgoing.send(bytes.split_to(room))?;
            *copied += room as u64;
        }
    }
}
