//! Makes HTTP/2 of Go programs on Unix sockets acceptable to the HTTP/2 library.
//!
//! grpc-go sends the path of the socket as `:authority`, percent-encoded: `%2Frun%2Fkonnectivity.sock`. RFC 3986 allows that, the `http`
//! crate does not, and the stream would be reset. So the value is replaced by one letter while the request is read. Header fields of HPACK
//! (RFC 7541) can be told apart without decoding them, and a shorter value never makes the table of recent fields evict more than the
//! client assumes: everything else stays as it was sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, ReadBuf};

use crate::seams::Io;

/// What an HTTP/2 client sends first.
const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;
/// The largest frame that we allow by our settings.
const FRAME: usize = 16 << 10;
/// Number of `:authority` in the static table.
const AUTHORITY: u64 = 1;

/// Passes everything through, and rewrites `:authority` in what is read.
pub(super) struct PlainAuthority<T> {
    inner: BufReader<T>,
    /// Bytes that follow and pass as they are.
    pass: usize,
    /// A frame's header, and a block of headers, until they are complete.
    held: Vec<u8>,
    /// Rewritten bytes, and how many of them were read.
    ready: (Vec<u8>, usize),
}

impl<T: Io> PlainAuthority<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner: BufReader::with_capacity(FRAME, inner),
            pass: PREFACE,
            held: Vec::new(),
            ready: (Vec::new(), 0),
        }
    }

    /// Length of what must be held before it can be passed on.
    fn wanted(&self) -> usize {
        match self.held.get(..FRAME_HEADER) {
            Some(header) if is_headers(header) => FRAME_HEADER + length(header),
            _ => FRAME_HEADER,
        }
    }

    /// Takes bytes at a frame's beginning; `available` is never empty.
    fn hold(&mut self, available: usize) -> io::Result<usize> {
        let missing = self.wanted() - self.held.len();
        let take = available.min(missing);
        let fresh = &self.inner.buffer()[..take];
        self.held.extend_from_slice(fresh);
        if self.held.len() < self.wanted() {
            return Ok(take);
        }
        let frame = std::mem::take(&mut self.held);
        let (header, payload) = frame.split_at(FRAME_HEADER);
        self.ready = match payload.is_empty() && !is_headers(header) {
            true => {
                self.pass = length(header);
                (frame, 0)
            }
            false => (rewrite(header, payload)?, 0),
        };
        Ok(take)
    }
}

impl<T: Io> AsyncRead for PlainAuthority<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let (ready, read) = &mut this.ready;
            if *read < ready.len() {
                let some = buffer.remaining().min(ready.len() - *read);
                buffer.put_slice(&ready[*read..*read + some]);
                *read += some;
                return Poll::Ready(Ok(()));
            }
            let available = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx))?;
            if available.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if this.pass > 0 {
                let some = available.len().min(this.pass).min(buffer.remaining());
                buffer.put_slice(&available[..some]);
                Pin::new(&mut this.inner).consume(some);
                this.pass -= some;
                return Poll::Ready(Ok(()));
            }
            let available = available.len();
            let took = this.hold(available)?;
            Pin::new(&mut this.inner).consume(took);
        }
    }
}

impl<T: Io> AsyncWrite for PlainAuthority<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

fn length(header: &[u8]) -> usize {
    usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2])
}

/// A frame whose block of headers is complete. Longer ones, which go on in CONTINUATION frames, pass as they are: no client of ours
/// sends so much.
fn is_headers(header: &[u8]) -> bool {
    header[3] == HEADERS && header[4] & END_HEADERS != 0 && length(header) <= FRAME
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed HTTP/2 headers")
}

/// The same HEADERS frame with another `:authority`, and without padding.
fn rewrite(header: &[u8], payload: &[u8]) -> io::Result<Vec<u8>> {
    let flags = header[4];
    let mut block = payload;
    if flags & PADDED != 0 {
        let (&padding, rest) = block.split_first().ok_or_else(malformed)?;
        let kept = rest.len().checked_sub(padding.into());
        block = &rest[..kept.ok_or_else(malformed)?];
    }
    let mut out = header.to_vec();
    out[4] = flags & !PADDED;
    if flags & PRIORITY != 0 {
        let (priority, rest) = block.split_at_checked(5).ok_or_else(malformed)?;
        out.extend_from_slice(priority);
        block = rest;
    }
    while !block.is_empty() {
        let field = Field::read(block).ok_or_else(malformed)?;
        if field.is_authority {
            out.extend_from_slice(&block[..field.name]);
            out.extend_from_slice(b"\x01a");
        } else {
            out.extend_from_slice(&block[..field.whole]);
        }
        block = &block[field.whole..];
    }
    let bytes = u32::try_from(out.len() - FRAME_HEADER).map_err(|_| malformed())?;
    out[..3].copy_from_slice(&bytes.to_be_bytes()[1..]);
    Ok(out)
}

/// Where a field of a header block ends (RFC 7541, section 6).
struct Field {
    /// Length up to its value.
    name: usize,
    whole: usize,
    is_authority: bool,
}

impl Field {
    fn read(block: &[u8]) -> Option<Self> {
        let first = *block.first()?;
        // An indexed field, or a change of the table's size: one number.
        let (bits, literal) = match first {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, true),
        };
        let (index, mut name) = number(block, bits)?;
        if !literal {
            return Some(Self {
                name,
                whole: name,
                is_authority: false,
            });
        }
        if index == 0 {
            name += text(block.get(name..)?)?;
        }
        let whole = name + text(block.get(name..)?)?;
        Some(Self {
            name,
            whole,
            is_authority: index == AUTHORITY,
        })
    }
}

/// A number with a prefix of some bits, and its length.
fn number(bytes: &[u8], bits: u32) -> Option<(u64, usize)> {
    let mask = (1_u8 << bits) - 1;
    let first = bytes.first()? & mask;
    if first < mask {
        return Some((first.into(), 1));
    }
    let mut value = u64::from(mask);
    for (place, byte) in bytes[1..].iter().take(4).enumerate() {
        value += u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, place + 2));
        }
    }
    None
}

/// Length of a string literal, whether it is compressed or not.
fn text(bytes: &[u8]) -> Option<usize> {
    let (length, prefix) = number(bytes, 7)?;
    let whole = prefix + usize::try_from(length).ok()?;
    (whole <= bytes.len()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
        frame.extend_from_slice(payload);
        frame
    }

    async fn through(bytes: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let (mut client, server) = tokio::io::duplex(step);
        let mut server = PlainAuthority::new(server);
        let mut read = Vec::new();
        let write = async {
            let _ = client.write_all(bytes).await;
            drop(client);
        };
        let (read_all, ()) = tokio::join!(server.read_to_end(&mut read), write);
        read_all.map(|_| read)
    }

    /// `:method POST`, `:authority` literal with incremental indexing, a literal name and value, an indexed field.
    const BLOCK: &[u8] = b"\x83\x41\x04%2Fx\x40\x01n\x01v\xbe";
    const PLAIN: &[u8] = b"\x83\x41\x01a\x40\x01n\x01v\xbe";

    #[tokio::test]
    async fn only_the_authority_changes() {
        let mut bytes = vec![b'p'; PREFACE];
        let mut expected = bytes.clone();
        let data = frame(0, 0, &[7; 40_000]);
        let mut padded = vec![3];
        padded.extend_from_slice(b"prior");
        padded.extend_from_slice(BLOCK);
        padded.extend_from_slice(&[0; 3]);
        let mut unpadded = b"prior".to_vec();
        unpadded.extend_from_slice(PLAIN);
        for (sent, seen) in [
            (frame(4, 0, b"settings"), frame(4, 0, b"settings")),
            (frame(1, 4, BLOCK), frame(1, 4, PLAIN)),
            (data.clone(), data),
            (frame(6, 0, b""), frame(6, 0, b"")),
            (frame(1, 4 | 8 | 32, &padded), frame(1, 4 | 32, &unpadded)),
            (frame(1, 0, BLOCK), frame(1, 0, BLOCK)),
        ] {
            bytes.extend(sent);
            expected.extend(seen);
        }
        for step in [1, 7, 1_000, 1 << 20] {
            assert_eq!(through(&bytes, step).await.unwrap(), expected, "{step}");
        }
    }

    /// Where this fails, this module is not needed any more.
    #[test]
    fn the_http_library_refuses_what_go_sends() {
        assert!("%2Frun%2Fk.sock".parse::<http::uri::Authority>().is_err());
    }

    #[tokio::test]
    async fn headers_that_are_none_end_the_connection() {
        let mut bytes = vec![b'p'; PREFACE];
        bytes.extend(frame(1, 4, b"\x41\x7f"));
        assert!(through(&bytes, 100).await.is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(flags in any::<u8>(), block in proptest::collection::vec(any::<u8>(), 0..64)) {
            let all = frame(1, flags, &block);
            let (header, payload) = all.split_at(FRAME_HEADER);
            if let Ok(out) = rewrite(header, payload) {
                prop_assert_eq!(length(&out), out.len() - FRAME_HEADER);
            }
        }
    }
}
