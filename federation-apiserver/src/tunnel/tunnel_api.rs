//! The tunnels as part of the hub's API, for controllers in other processes and for people who look.
//!
//! - `GET /apis/koinon.io/v1alpha1/tunnels` lists the clusters that have one; with `?watch=true` the list is followed.
//! - `POST /apis/koinon.io/v1alpha1/tunnels/{cluster}/dial` becomes a connection to the cluster's API server, on which the caller speaks TLS
//!   with it under its own name. Nobody is impersonated, and the target is the one that the `KubeFedCluster` names, not the caller's choice.

use std::sync::Arc;
use std::time::Duration;

use apiserver::http::{Body, Extension, ExtensionResource, error_response, full, json, stream};
use apiserver::local::LocalClient;
use apiserver::request::UserInfo;
use apiserver::server::Parts;
use apiserver::status::ApiError;
use async_trait::async_trait;
use bytes::Bytes;
use federation_api::names::KOINON_GROUP;
use federation_api::tunnel::{DIAL, DIAL_PROTOCOL, TUNNELS, TUNNELS_PATH};
use federation_tunnel::{BoxIo, ClusterStatus, TunnelEvent, Tunnels};
use futures::StreamExt;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prometheus_client::collector::Collector;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::hub_tunnels::HubTunnels;
use super::metrics::TunnelMetrics;
use crate::proxy::{DialError, Dialer, Routes, physical_access};

const VERSION: &str = "v1alpha1";
/// How often a watch says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Lines that a slow reader of a watch may be behind before the hub stops reading events for it.
const BACKLOG: usize = 256;

/// The extension of the hub's server.
pub(crate) struct TunnelApi {
    hub: LocalClient,
    tunnels: HubTunnels,
    routes: Routes,
}

impl TunnelApi {
    pub(crate) fn new(parts: &Parts, tunnels: HubTunnels) -> Self {
        Self {
            hub: LocalClient::new(parts.api.clone(), "system:koinon:tunnel"),
            routes: Routes::direct().with_tunnel(Arc::new(tunnels.clone())),
            tunnels,
        }
    }

    fn open(&self) -> Result<&Tunnels, ApiError> {
        self.tunnels
            .get()
            .ok_or_else(|| ApiError::unavailable("this hub serves no tunnels: see --tunnel-listen"))
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, ApiError> {
        let path = request.uri().path().to_owned();
        let rest = path
            .strip_prefix(TUNNELS_PATH)
            .ok_or_else(ApiError::no_such_path)?;
        let parts: Vec<&str> = rest.trim_matches('/').split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, [""]) => {
                let query = request.uri().query().unwrap_or_default();
                let follows = query
                    .split('&')
                    .any(|pair| matches!(pair, "watch" | "watch=1" | "watch=true"));
                let tunnels = self.open()?;
                Ok(if follows {
                    watch(tunnels.clone(), self.hub.api().cache.watches_end())
                } else {
                    list(tunnels)
                })
            }
            (&Method::GET, [name]) => {
                let name = name
                    .parse()
                    .map_err(|_| ApiError::not_found(KOINON_GROUP, TUNNELS, name))?;
                let status = self.open()?.status(&name);
                if status.connections == 0 {
                    return Err(ApiError::not_found(KOINON_GROUP, TUNNELS, name.as_str()));
                }
                Ok(json(StatusCode::OK, &object(name.as_str(), status)))
            }
            (&Method::POST, [cluster, sub]) if *sub == DIAL => self.dial(cluster, request).await,
            _ => Err(ApiError::no_such_path()),
        }
    }

    /// Opens the connection first, so that whoever asks learns why there is none.
    async fn dial(
        &self,
        cluster: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, ApiError> {
        let asked = request.headers().get(UPGRADE);
        if asked.is_none_or(|protocol| protocol.as_bytes() != DIAL_PROTOCOL.as_bytes()) {
            return Err(ApiError::bad_request(format!(
                "this needs the headers `Connection: Upgrade` and `Upgrade: {DIAL_PROTOCOL}`"
            )));
        }
        let access = physical_access(&self.hub, cluster).await?;
        let member = self
            .routes
            .dial(cluster, &access)
            .await
            .map_err(|error| refused(cluster, &error))?;
        let caller = hyper::upgrade::on(&mut request);
        let (cluster, ends) = (cluster.to_owned(), self.hub.api().cache.watches_end());
        tokio::spawn(async move {
            tokio::select! {
                () = splice(&cluster, caller, member) => {}
                () = ends.cancelled() => {}
            }
        });
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static(DIAL_PROTOCOL));
        Ok(response)
    }
}

async fn splice(cluster: &str, caller: hyper::upgrade::OnUpgrade, mut member: BoxIo) {
    let mut caller = match caller.await {
        Ok(caller) => TokioIo::new(caller),
        Err(error) => {
            tracing::debug!(cluster, %error, "a dialled connection did not come about");
            return;
        }
    };
    if let Err(error) = tokio::io::copy_bidirectional(&mut caller, &mut member).await {
        tracing::debug!(cluster, %error, "a dialled connection broke");
    }
}

fn refused(cluster: &str, error: &DialError) -> ApiError {
    ApiError::unavailable(format!(
        "cluster {cluster:?} cannot be reached: {}",
        crate::chain::chain(error)
    ))
}

/// A cluster's tunnel as the API shows it.
fn object(name: &str, status: ClusterStatus) -> Value {
    json!({
        "apiVersion": format!("{KOINON_GROUP}/{VERSION}"),
        "kind": "Tunnel",
        "metadata": {"name": name},
        "status": {"agents": status.agents, "connections": status.connections, "streams": status.streams},
    })
}

fn list(tunnels: &Tunnels) -> Response<Body> {
    let clusters = tunnels.clusters();
    let items: Vec<Value> = clusters
        .iter()
        .map(|(name, status)| object(name.as_str(), *status))
        .collect();
    json(
        StatusCode::OK,
        &json!({
            "apiVersion": format!("{KOINON_GROUP}/{VERSION}"),
            "kind": "TunnelList",
            "metadata": {},
            "items": items,
        }),
    )
}

/// One line of a watch.
fn line(type_: &str, object: &Value) -> Bytes {
    let mut line = json!({"type": type_, "object": object}).to_string();
    line.push('\n');
    line.into()
}

/// What there is, a bookmark, then what changes; more bookmarks tell that the watch lives. A reader that is too slow to see every change is
/// sent everything again, from the start (`type: RESET`). It ends with all watches of the server, which would wait for it otherwise.
fn watch(tunnels: Tunnels, ends: CancellationToken) -> Response<Body> {
    let (lines, read) = mpsc::channel(BACKLOG);
    tokio::spawn(async move {
        tokio::select! {
            // It fails when the reader is gone.
            _ = follow(tunnels, lines) => {}
            () = ends.cancelled() => {}
        }
    });
    let read = futures::stream::unfold(read, |mut read| async move {
        let line = read.recv().await?;
        Some((line, read))
    });
    stream("application/json", read.boxed())
}

async fn follow(
    tunnels: Tunnels,
    lines: mpsc::Sender<Bytes>,
) -> Result<(), mpsc::error::SendError<Bytes>> {
    let none = json!({});
    let mut events = tunnels.subscribe();
    loop {
        lines.send(line("RESET", &none)).await?;
        for (name, status) in tunnels.clusters() {
            let object = object(name.as_str(), status);
            lines.send(line("ADDED", &object)).await?;
        }
        lines.send(line("BOOKMARK", &none)).await?;
        loop {
            let line = match tokio::time::timeout(HEARTBEAT, events.recv()).await {
                Err(_) => line("BOOKMARK", &none),
                Ok(Ok(TunnelEvent::Connected { cluster, now })) => {
                    line("MODIFIED", &object(cluster.as_str(), now))
                }
                Ok(Ok(TunnelEvent::Disconnected { cluster, now, .. })) if now.connections > 0 => {
                    line("MODIFIED", &object(cluster.as_str(), now))
                }
                Ok(Ok(TunnelEvent::Disconnected { cluster, now, .. })) => {
                    line("DELETED", &object(cluster.as_str(), now))
                }
                Ok(Err(RecvError::Lagged(_))) => break,
                Ok(Err(RecvError::Closed)) => return Ok(()),
            };
            lines.send(line).await?;
        }
        events = tunnels.subscribe();
    }
}

#[async_trait]
impl Extension for TunnelApi {
    fn prefixes(&self) -> Vec<String> {
        vec![TUNNELS_PATH.to_owned()]
    }

    fn collector(&self) -> Option<Box<dyn Collector>> {
        Some(Box::new(TunnelMetrics(self.tunnels.clone())))
    }

    fn resources(&self) -> Vec<ExtensionResource> {
        vec![ExtensionResource {
            group: KOINON_GROUP,
            version: VERSION,
            resource: TUNNELS,
            subresource: DIAL,
            kind: "TunnelDialOptions",
            namespaced: false,
            verbs: &["create"],
        }]
    }

    /// A watch or a connection.
    fn is_long_running(&self, _: &Request<Body>) -> bool {
        true
    }

    async fn handle(&self, request: Request<Body>, user: UserInfo) -> Response<Body> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(
                    user = user.name,
                    message = error.message,
                    "refused a request for a tunnel"
                );
                error_response(&error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::super::testing;
    use super::*;

    #[tokio::test]
    async fn a_watch_does_not_hold_up_the_end_of_the_server() {
        let ends = CancellationToken::new();
        let mut body = watch(testing::tunnels(), ends.clone()).into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, line("RESET", &json!({})));
        ends.cancel();
        let rest = tokio::time::timeout(HEARTBEAT / 2, body.collect());
        rest.await.expect("it goes on").unwrap();
    }
}
