//! gzip for large answers.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, VARY,
};
use http::{HeaderName, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};

use super::body::{Body, BoxError};

/// Answers from this size on are compressed, as kube-apiserver's.
const THRESHOLD: u64 = 128 * 1024;
/// So much is compressed at once: some milliseconds of work.
const PIECE: usize = 256 * 1024;

/// Does the client take gzip?
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip") && !parts.any(|p| matches!(p, "q=0" | "q=0.0"))
        })
}

/// Compresses a large body of known size, piece by piece as the client takes it; streams and small bodies stay as they are.
pub(crate) fn compress(response: Response<Body>) -> Response<Body> {
    let large = response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|size| size >= THRESHOLD);
    if !large || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    append(&mut parts.headers, CONTENT_ENCODING, "gzip");
    append(&mut parts.headers, VARY, "Accept-Encoding");
    parts.headers.remove(CONTENT_LENGTH);
    let frames = stream::try_unfold(Some(Packer::new(body)), async |packer| match packer {
        Some(packer) => packer.next().await.map(Some),
        None => Ok(None),
    });
    Response::from_parts(parts, StreamBody::new(frames).boxed_unsync())
}

/// A body on its way through the compressor.
struct Packer {
    body: Body,
    /// Of the body's last frame, what is still to be compressed.
    rest: Bytes,
    encoder: GzEncoder<Vec<u8>>,
}

impl Packer {
    /// The fastest level, as upstream: on a network the time to compress more is not won back.
    fn new(body: Body) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            encoder: GzEncoder::new(Vec::new(), Compression::fast()),
        }
    }

    /// The next frame, and what makes those after it.
    async fn next(mut self) -> Result<(Frame<Bytes>, Option<Self>), BoxError> {
        let (pieces, is_last) = self.take().await?;
        // A thread for a moment, not for as long as a client is slow.
        let packed = tokio::task::spawn_blocking(move || {
            for piece in pieces {
                self.encoder.write_all(&piece)?;
            }
            if is_last {
                self.encoder.try_finish()?;
            }
            Ok::<_, io::Error>((std::mem::take(self.encoder.get_mut()), self))
        });
        let (packed, packer) = packed.await??;
        Ok((Frame::data(packed.into()), (!is_last).then_some(packer)))
    }

    /// Takes up to `PIECE` from the body, and tells whether that was all.
    async fn take(&mut self) -> Result<(Vec<Bytes>, bool), BoxError> {
        let (mut pieces, mut room) = (Vec::new(), PIECE);
        while room > 0 {
            if self.rest.is_empty() {
                let Some(frame) = self.body.frame().await else {
                    return Ok((pieces, true));
                };
                self.rest = frame?.into_data().unwrap_or_default();
            }
            let piece = self.rest.split_to(room.min(self.rest.len()));
            room -= piece.len();
            pieces.push(piece);
        }
        Ok((pieces, false))
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.append(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use futures::StreamExt;
    use http::StatusCode;

    use super::*;
    use crate::http::body;

    #[test]
    fn clients_say_whether_they_take_it() {
        let ask = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, text.parse().unwrap());
            wanted(&headers)
        };
        assert!(ask("gzip"));
        assert!(ask("br, gzip;q=0.5"));
        assert!(!ask("gzip;q=0"));
        assert!(!ask("identity"));
        assert!(!wanted(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn only_large_bodies_are_compressed_and_come_back_whole() {
        let small = body::response(StatusCode::OK, "text/plain", "small");
        let small = compress(small);
        assert!(!small.headers().contains_key(CONTENT_ENCODING));
        let least = usize::try_from(THRESHOLD).unwrap();
        for size in [least, PIECE, 2 * PIECE + 8, 3_000_000] {
            let text: String = (0..size / 8).map(|n| format!("{n:07} ")).collect();
            let large = compress(body::response(StatusCode::OK, "text/plain", text.clone()));
            assert_eq!(large.headers()[CONTENT_ENCODING], "gzip");
            assert!(!large.headers().contains_key(CONTENT_LENGTH));
            let bytes = large.into_body().collect().await.unwrap().to_bytes();
            assert!(bytes.len() < text.len() / 2);
            let mut back = String::new();
            flate2::read::GzDecoder::new(&bytes[..])
                .read_to_string(&mut back)
                .unwrap();
            assert_eq!(back, text);
        }
    }

    #[tokio::test]
    async fn the_first_byte_does_not_wait_for_the_last() {
        let large = compress(body::response(
            StatusCode::OK,
            "text/plain",
            "x".repeat(9 * PIECE),
        ));
        let frames = large.into_body().into_data_stream().count().await;
        assert!(frames >= 9, "{frames}");
    }
}
