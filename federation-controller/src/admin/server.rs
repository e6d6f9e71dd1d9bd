//! A small HTTP server for probes and scrapes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::metrics::Metrics;

/// Whether the process can do its work: it reached the hub and either leads or stands by. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Notes it.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Tells it.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for health and metrics")]
pub struct AdminError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// A bound server. Every address serves every path: `/healthz`, `/livez` (the process runs), `/readyz`, `/metrics`.
pub struct AdminServer {
    listener: TcpListener,
    metrics: Metrics,
    readiness: Readiness,
}

/// Connections served at once; more wait.
const CONNECTIONS: usize = 64;

impl AdminServer {
    /// Binds `address`.
    ///
    /// # Errors
    /// If the address is taken or not ours.
    pub async fn bind(
        address: SocketAddr,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Result<Self, AdminError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| AdminError { address, source })?;
        Ok(Self {
            listener,
            metrics,
            readiness,
        })
    }

    /// The address bound, with the port that was picked for port 0.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until dropped.
    pub async fn run(self) {
        let mut connections: JoinSet<()> = JoinSet::new();
        loop {
            if connections.len() >= CONNECTIONS {
                connections.join_next().await;
                continue;
            }
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let Ok((stream, _)) = accepted else { continue };
            let (metrics, readiness) = (self.metrics.clone(), self.readiness.clone());
            connections.spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer =
                        answer(request.method(), request.uri().path(), &metrics, &readiness);
                    async move { Ok::<_, Infallible>(answer) }
                });
                // A client that breaks its connection is no concern of ours.
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }
}

fn answer(
    method: &Method,
    path: &str,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return text(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "only GET\n".to_owned(),
        );
    }
    match path {
        "/healthz" | "/healthz/" | "/livez" => text(StatusCode::OK, "text/plain", "ok".to_owned()),
        "/readyz" | "/readyz/" if readiness.get() => {
            text(StatusCode::OK, "text/plain", "ok".to_owned())
        }
        "/readyz" | "/readyz/" => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "text/plain",
            "not ready\n".to_owned(),
        ),
        "/metrics" => text(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            metrics.render(),
        ),
        _ => text(
            StatusCode::NOT_FOUND,
            "text/plain",
            "not found\n".to_owned(),
        ),
    }
}

fn text(status: StatusCode, media: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, http::HeaderValue::from_static(media));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_answer() {
        let (metrics, readiness) = (Metrics::default(), Readiness::default());
        let status = |path: &str| answer(&Method::GET, path, &metrics, &readiness).status();
        assert_eq!(status("/healthz"), 200);
        assert_eq!(status("/readyz"), 503);
        readiness.set(true);
        assert_eq!(status("/readyz"), 200);
        assert_eq!(status("/metrics"), 200);
        assert_eq!(status("/"), 404);
        assert_eq!(
            answer(&Method::POST, "/healthz", &metrics, &readiness).status(),
            405
        );
    }
}
