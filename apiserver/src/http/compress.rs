//! gzip for large answers.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, VARY,
};
use http::{HeaderName, Response};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::body::{self, Body};

/// Answers from this size on are compressed, as kube-apiserver's.
const THRESHOLD: u64 = 128 * 1024;

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

/// Compresses a whole, large body; streams and small bodies stay as they are.
pub(crate) async fn compress(response: Response<Body>) -> Response<Body> {
    let large = response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|size| size >= THRESHOLD);
    if !large || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body of known size is in memory already: this does not wait.
    let Ok(plain) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        return Response::from_parts(parts, body::full(Bytes::new()));
    };
    let kept = plain.clone();
    let packed = tokio::task::spawn_blocking(move || gzip(&plain)).await;
    let bytes = match packed {
        Ok(Ok(packed)) => {
            append(&mut parts.headers, CONTENT_ENCODING, "gzip");
            append(&mut parts.headers, VARY, "Accept-Encoding");
            packed
        }
        Ok(Err(_)) | Err(_) => kept,
    };
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Response::from_parts(parts, body::full(bytes))
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.append(name, HeaderValue::from_static(value));
}

/// The fastest level, as upstream: on a network the time to compress more is not won back.
fn gzip(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use http::StatusCode;

    use super::*;

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
        let small = compress(small).await;
        assert!(!small.headers().contains_key(CONTENT_ENCODING));
        let text = "large ".repeat(50_000);
        let large = compress(body::response(StatusCode::OK, "text/plain", text.clone())).await;
        assert_eq!(large.headers()[CONTENT_ENCODING], "gzip");
        let bytes = large.into_body().collect().await.unwrap().to_bytes();
        let mut back = String::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_string(&mut back)
            .unwrap();
        assert_eq!(back, text);
    }
}
