//! HTTP CONNECT.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tracing::debug;

use crate::konnectivity::dial::{Dial, DialError};
use crate::konnectivity::session::splice;
use crate::seams::{BoxIo, Io};

/// How long a client may take to send its request.
const HEAD: Duration = Duration::from_secs(10);
/// Longest head of a request.
const HEAD_BYTES: usize = 16 << 10;

/// A client's connection that ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It broke, or the client speaks no HTTP/1.
    #[error("the connection of a client broke")]
    Http(#[from] hyper::Error),
}

/// Serves one connection: a CONNECT, then bytes until one side ends. The target is the request's, not what `Host` says: kube-apiserver
/// sends `Host: 127.0.0.1`.
///
/// Answers 405 to other methods, 400 to what is no target, 403 to one that is not allowed, 503 where no agent is connected or there are
/// too many connections, 504 after a timeout and 502 to everything else that goes wrong, with the reason as text.
///
/// # Errors
/// The connection broke before the target was reached.
pub async fn serve_connect(io: impl Io, dial: Arc<dyn Dial>) -> Result<(), ConnectError> {
    let (reached, mut connection) = tokio::sync::mpsc::channel(1);
    let service = service_fn(move |request| {
        let (dial, reached) = (Arc::clone(&dial), reached.clone());
        async move {
            let answer = match answer(&request, &*dial).await {
                Ok(target) => {
                    let upgrade = hyper::upgrade::on(request);
                    // Of one connection only one request can become a tunnel.
                    let _ = reached.try_send((upgrade, target));
                    Response::new(Full::default())
                }
                Err((status, text)) => refusal(status, &text),
            };
            Ok::<_, Infallible>(answer)
        }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades()
        .await?;
    if let Ok((upgrade, target)) = connection.try_recv() {
        let client = TokioIo::new(upgrade.await?);
        let outcome = splice(client, target).await;
        debug!(?outcome, "a connection ended");
    }
    Ok(())
}

async fn answer(
    request: &Request<Incoming>,
    dial: &dyn Dial,
) -> Result<BoxIo, (StatusCode, String)> {
    if request.method() != Method::CONNECT {
        let text = "this proxy only supports CONNECT passthrough";
        return Err((StatusCode::METHOD_NOT_ALLOWED, text.to_owned()));
    }
    let target = request.uri().authority().map_or("", |to| to.as_str());
    dial.dial(target).await.map_err(|error| {
        debug!(target, error = error.text(), "a dial failed");
        (status(&error), error.text())
    })
}

fn status(error: &DialError) -> StatusCode {
    match error {
        DialError::Target(_) => StatusCode::BAD_REQUEST,
        DialError::NotAllowed(_) => StatusCode::FORBIDDEN,
        DialError::NoAgent(_) | DialError::Full => StatusCode::SERVICE_UNAVAILABLE,
        DialError::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        // Agents give nothing but their resolver's or their kernel's words.
        DialError::Failed(text) if text.contains("timeout") => StatusCode::GATEWAY_TIMEOUT,
        DialError::Failed(_) | DialError::Lost(_) | DialError::Io(_) => StatusCode::BAD_GATEWAY,
    }
}

fn refusal(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    let close = header::HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}
