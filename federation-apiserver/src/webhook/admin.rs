//! Probes and scrapes, on a plain HTTP address of their own.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::metrics::Metrics;

/// Connections served at once; more wait.
const CONNECTIONS: usize = 64;

/// What the paths tell.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) metrics: Metrics,
    /// Certificates are in place.
    pub(super) is_ready: Arc<AtomicBool>,
    /// Shutdown was asked for.
    pub(super) is_stopping: Arc<AtomicBool>,
}

impl Admin {
    /// Serves `/healthz` and `/livez` (the process runs), `/readyz` and `/metrics` until dropped.
    pub(super) async fn serve(self, listener: TcpListener) {
        let mut connections: JoinSet<()> = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            if connections.len() >= CONNECTIONS {
                connections.join_next().await;
                continue;
            }
            let Ok((stream, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let admin = self.clone();
            connections.spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = admin.answer(request.uri().path());
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

    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        match path {
            "/healthz" | "/livez" => text(StatusCode::OK, "text/plain", "ok".to_owned()),
            "/readyz" => match self.why_not() {
                None => text(StatusCode::OK, "text/plain", "ok".to_owned()),
                Some(why) => text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "text/plain",
                    why.to_owned(),
                ),
            },
            "/metrics" => text(StatusCode::OK, metrics, self.metrics.render()),
            _ => text(
                StatusCode::NOT_FOUND,
                "text/plain",
                "not found\n".to_owned(),
            ),
        }
    }

    fn why_not(&self) -> Option<&'static str> {
        if self.is_stopping.load(Ordering::Acquire) {
            return Some("shutting down\n");
        }
        (!self.is_ready.load(Ordering::Acquire)).then_some("no certificate yet\n")
    }
}

fn text(code: StatusCode, media: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = code;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_needs_a_certificate_and_ends_with_the_first_signal() {
        let admin = Admin {
            metrics: Metrics::default(),
            is_ready: Arc::default(),
            is_stopping: Arc::default(),
        };
        let code = |path: &str| admin.answer(path).status().as_u16();
        assert_eq!(
            (code("/healthz"), code("/readyz"), code("/x")),
            (200, 503, 404)
        );
        admin.is_ready.store(true, Ordering::Release);
        assert_eq!(code("/readyz"), 200);
        admin.is_stopping.store(true, Ordering::Release);
        assert_eq!((code("/livez"), code("/readyz")), (200, 503));
        admin.metrics.begin();
        admin
            .metrics
            .end("/convert", 200, std::time::Duration::ZERO);
        assert!(
            admin
                .metrics
                .render()
                .contains(r#"koinon_webhook_requests_total{path="/convert",code="200"} 1"#)
        );
        assert_eq!(code("/metrics"), 200);
    }
}
