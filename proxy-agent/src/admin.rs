//! Probes and metrics over HTTP.

use std::convert::Infallible;

use bytes::Bytes;
use federation_tunnel::AgentHandle;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::metrics;

/// Connections served at once; more wait.
const CONNECTIONS: usize = 64;

/// What probes and metrics are about.
pub(crate) trait Probed: Clone + Send + 'static {
    /// Whether a connection to a hub or server is up.
    fn is_ready(&self) -> bool;
    /// The metrics, in Prometheus' text format.
    fn metrics(&self) -> String;
}

impl Probed for AgentHandle {
    fn is_ready(&self) -> bool {
        Self::is_ready(self)
    }

    fn metrics(&self) -> String {
        metrics::render(&self.stats())
    }
}

/// Serves until dropped: `/healthz` and `/livez` (the process runs), `/readyz` and `/ready` (a connection to a hub is up), `/metrics`.
pub(crate) async fn serve(listener: TcpListener, agent: impl Probed) {
    let mut connections: JoinSet<()> = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
            continue;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            continue;
        };
        let agent = agent.clone();
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), &agent);
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

fn answer(method: &Method, path: &str, agent: &impl Probed) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match path {
        "/healthz" | "/livez" => text(StatusCode::OK, "ok".to_owned()),
        "/readyz" | "/ready" if agent.is_ready() => text(StatusCode::OK, "ok".to_owned()),
        "/readyz" | "/ready" => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "no connection to a hub\n".to_owned(),
        ),
        "/metrics" => text(StatusCode::OK, agent.metrics()),
        _ => text(StatusCode::NOT_FOUND, "not found\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
