//! Bodies of requests and responses.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};

use crate::status::ApiError;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body: whole or a stream.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A body of known bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A response with a whole body.
pub fn response(
    code: StatusCode,
    content_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Response<Body> {
    let bytes = bytes.into();
    let length = bytes.len();
    let mut response = Response::new(full(bytes));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// A 200 response whose body goes on for as long as the stream does.
pub fn stream(content_type: &'static str, lines: BoxStream<'static, Bytes>) -> Response<Body> {
    let frames = lines.map(|line| Ok(Frame::data(line)));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A JSON response.
pub fn json(code: StatusCode, value: &serde_json::Value) -> Response<Body> {
    response(code, "application/json", value.to_string())
}

/// An error as the `Status` that clients understand, with `Retry-After` where it says so.
pub fn error_response(error: &ApiError) -> Response<Body> {
    let mut response = json(error.code, &error.to_value());
    let seconds = error.details.retry_after_seconds;
    if seconds > 0 {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Reads a whole request body of at most `limit` bytes.
///
/// # Errors
/// 413 if it is longer; 400 if the client broke off.
pub async fn read(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    // Boxed so that callers' futures are `Send` in the compiler's eyes too.
    let collected = Limited::new(&mut body, limit).collect().boxed().await;
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            drain(body).await;
            Err(ApiError::too_large(format!(
                "Request entity too large: limit is {limit}"
            )))
        }
        Err(error) => Err(ApiError::bad_request(format!(
            "reading the request body failed: {error}"
        ))),
    }
}

/// Reads on, without keeping anything: a client that is still sending would see a broken connection instead of the answer.
/// Not for ever: who sends much more than is allowed is no client that reads answers.
async fn drain(mut body: Body) {
    const MOST: usize = 16 << 20;
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().boxed().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MOST {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_bodies_are_refused_and_short_ones_read() {
        assert_eq!(read(full("12345"), 5).await.unwrap(), "12345");
        let error = read(full("123456"), 5).await.unwrap_err();
        assert_eq!(
            (error.code.as_u16(), error.reason),
            (413, "RequestEntityTooLarge")
        );
    }

    #[test]
    fn errors_tell_when_to_come_back() {
        let response = error_response(&ApiError::unavailable("starting"));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
}
