//! From a request to its answer, within limits of size and time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use federation_api::names::{WEBHOOK_CONVERT, WEBHOOK_MUTATE, WEBHOOK_VALIDATE};
use federation_core::conversion;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::admission::{self, Asked};
use super::lookups::Lookups;
use super::metrics::Metrics;
use crate::chain::chain;

/// The largest review that is read. An API server sends all objects of a list in one, so that this bounds lists of v1: about
/// 20 000 objects of 5 kB each.
const MAX_BODY: usize = 128 << 20;
/// Bodies of that many bytes altogether are held at once; more wait. As parsed JSON they take some times as much.
const BUDGET: usize = 2 * MAX_BODY;
/// The budget is counted in pieces of this many bytes.
const PIECE: usize = 4096;
/// An API server gives up on a conversion after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Reviews above this size are worked on outside of the threads that serve connections.
const LARGE: usize = 64 << 10;

pub(super) type Answer = Response<Full<Bytes>>;

/// Everything that a request needs.
pub(super) struct Doors {
    lookups: Lookups,
    metrics: Metrics,
    budget: Semaphore,
}

/// Why there is no review in the answer.
struct Refusal(StatusCode, String);

impl Doors {
    pub(super) fn new(lookups: Lookups, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            lookups,
            metrics,
            budget: Semaphore::new(BUDGET / PIECE),
        })
    }

    /// Answers one request.
    pub(super) async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let begun = Instant::now();
        self.metrics.begin();
        let path = known(request.uri().path());
        let answer = match tokio::time::timeout(PATIENCE, self.review(path, request)).await {
            Ok(Ok(review)) => json(review),
            Ok(Err(Refusal(code, why))) => text(code, why),
            Err(_) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("not answered within {} s", PATIENCE.as_secs()),
            ),
        };
        self.metrics
            .end(path, answer.status().as_u16(), begun.elapsed());
        answer
    }

    async fn review(
        &self,
        path: &'static str,
        request: Request<Incoming>,
    ) -> Result<Vec<u8>, Refusal> {
        if path == OTHER {
            let why = format!("no webhook at {}", request.uri().path());
            return Err(Refusal(StatusCode::NOT_FOUND, why));
        }
        if request.method() != Method::POST {
            let why = "only POST".to_owned();
            return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, why));
        }
        if !is_json(request.headers()) {
            let why = "only application/json".to_owned();
            return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let pieces =
            u32::try_from(announced(request.headers()).div_ceil(PIECE)).unwrap_or(u32::MAX);
        let closed = |_| Refusal(StatusCode::SERVICE_UNAVAILABLE, "shutting down".to_owned());
        let _share = self.budget.acquire_many(pieces).await.map_err(closed)?;
        let body = body(request).await?;
        match path {
            WEBHOOK_CONVERT => convert(body).await,
            WEBHOOK_VALIDATE => {
                let asked = read(&body)?;
                Ok(admission::validate(&asked, &self.lookups)
                    .await
                    .to_string()
                    .into_bytes())
            }
            _ => Ok(admission::mutate(&read(&body)?).to_string().into_bytes()),
        }
    }
}

const OTHER: &str = "other";

/// The path if it is one of ours: metrics must not grow with what strangers ask for.
fn known(path: &str) -> &'static str {
    [WEBHOOK_CONVERT, WEBHOOK_VALIDATE, WEBHOOK_MUTATE]
        .into_iter()
        .find(|known| *known == path)
        .unwrap_or(OTHER)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value.split(';').next().unwrap_or_default().trim() == "application/json"
        })
}

/// The length that the client announced, at most the largest; without a word it may be that.
fn announced(headers: &HeaderMap) -> usize {
    headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(MAX_BODY)
        .clamp(1, MAX_BODY)
}

async fn body(request: Request<Incoming>) -> Result<Bytes, Refusal> {
    match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the review is larger than {} MiB", MAX_BODY >> 20),
        )),
        Err(error) => Err(Refusal(StatusCode::BAD_REQUEST, error.to_string())),
    }
}

fn read(body: &Bytes) -> Result<Asked, Refusal> {
    Asked::read(body).map_err(|error| Refusal(StatusCode::BAD_REQUEST, chain(&error)))
}

async fn convert(body: Bytes) -> Result<Vec<u8>, Refusal> {
    let is_large = body.len() > LARGE;
    let work = move || {
        let review: Value = serde_json::from_slice(&body).map_err(|error| {
            let why = format!("the body is no ConversionReview: {error}");
            Refusal(StatusCode::BAD_REQUEST, why)
        })?;
        drop(body);
        Ok(conversion::review(&review).to_string().into_bytes())
    };
    if !is_large {
        return work();
    }
    let broken = |_| {
        Refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "conversion failed".to_owned(),
        )
    };
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

fn json(body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    let media = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, media);
    answer
}

fn text(code: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = code;
    let media = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, media);
    answer
}
