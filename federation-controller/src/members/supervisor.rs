//! The loop that owns connect, probe and disconnect of one physical cluster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Limited};
use k8s_openapi::apimachinery::pkg::version::Info;
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use tokio::sync::watch;
use tokio::time::Instant;

use super::access::{AccessError, MemberAccess};
use super::connect::Connector;
use super::health::{Thresholds, Track, Verdict};
use super::member::{DOUBT_PROBE_GAP, Member, MemberState};
use super::report::Reporter;
use super::tunnel::TunnelWatch;
use crate::clients::{Fence, GuardLayer, chain, message};
use crate::work::{Limiter, RateLimit};

/// A probe's answer is a word or a small document.
const MAX_PROBE_BODY: usize = 64 * 1024;

/// How members are probed and used. Times of KubeFedConfig's `clusterHealthCheck`, plus our own limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) period: Duration,
    pub(super) timeout: Duration,
    pub(super) thresholds: Thresholds,
    pub(super) rate: RateLimit,
    pub(super) request_timeout: Duration,
}

/// What others hear from the loop.
pub(super) enum Told<'a> {
    /// The member's state changed.
    State(&'a MemberState),
    /// Its agents went away or came back.
    Tunnel {
        /// They are there.
        is_up: bool,
    },
}

pub(super) struct Supervisor {
    pub(super) member: Arc<Member>,
    pub(super) access: watch::Receiver<Result<MemberAccess, AccessError>>,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) reporter: Reporter,
    pub(super) rules: Rules,
    pub(super) fence: Fence,
    pub(super) metrics: crate::metrics::Metrics,
}

/// The way to a member that is reached through its agents; without a watch, it is reached in another way.
struct Tunnel<'a> {
    watch: TunnelWatch,
    /// Whether its agents were there when last looked at, over all changes of the access data.
    agents: &'a mut Option<bool>,
}

impl Tunnel<'_> {
    /// Takes note of whether the agents are there; returns it if that is news. That they are there at first sight is none.
    fn turned_to(&mut self, is_up: bool) -> Option<bool> {
        self.watch.0.as_ref()?;
        let before = self.agents.replace(is_up);
        (before != Some(is_up) && (before.is_some() || !is_up)).then_some(is_up)
    }
}

impl Supervisor {
    /// Runs until dropped. `told` hears every change of the member's state and of its tunnel's.
    pub(super) async fn run(mut self, told: impl Fn(Told<'_>) + Send) {
        let mut track = Track::new(self.rules.thresholds);
        let mut agents = None;
        let mut reconnected = false;
        loop {
            let access = self.access.borrow_and_update().clone();
            let wants_tunnel = access.as_ref().is_ok_and(|access| access.tunnel);
            let connection = access
                .map_err(|error| error.to_string())
                .and_then(|access| self.connect(&access));
            let ended = match connection {
                Err(error) => {
                    self.member.connect(None);
                    self.conclude(&mut track, Verdict::Malformed { error }, false, &told)
                        .await;
                    self.access.changed().await
                }
                Ok((member_client, probe_client)) => {
                    self.member.connect(Some(member_client));
                    let tunnel = wants_tunnel.then(|| self.connector.tunnel(self.member.name()));
                    let mut tunnel = Tunnel {
                        watch: TunnelWatch(tunnel.flatten()),
                        agents: &mut agents,
                    };
                    self.probe_loop(&probe_client, &mut track, reconnected, &mut tunnel, &told)
                        .await
                }
            };
            if ended.is_err() {
                return;
            }
            reconnected = true;
        }
    }

    /// Two clients of the same access data: probes must not wait behind the member's own traffic.
    fn connect(&self, access: &MemberAccess) -> Result<(Client, Client), String> {
        let guard = |rate: RateLimit, timeout: Duration| GuardLayer {
            limiter: Arc::new(Limiter::new(rate)),
            fence: self.fence.clone(),
            timeout,
        };
        let connect = |guard: &GuardLayer| {
            self.connector
                .connect(self.member.name(), access, guard)
                .map_err(|error| chain(&error))
        };
        Ok((
            connect(&guard(self.rules.rate, self.rules.request_timeout))?,
            connect(&guard(RateLimit::NONE, self.rules.timeout))?,
        ))
    }

    /// Probes every period until the access data changes. A doubt brings the next probe forward, and so does a probe without
    /// an answer in all its time: a member that accepts and never answers would otherwise be taken for ready for as many
    /// periods as the threshold has probes. One that refuses keeps its periods, in which it may restart.
    async fn probe_loop(
        &mut self,
        probe_client: &Client,
        track: &mut Track,
        mut reconnected: bool,
        tunnel: &mut Tunnel<'_>,
        told: &(impl Fn(Told<'_>) + Send),
    ) -> Result<(), watch::error::RecvError> {
        loop {
            let down = tunnel.watch.is_down().await;
            if let Some(is_up) = tunnel.turned_to(!down) {
                told(Told::Tunnel { is_up });
            }
            let asked = Instant::now();
            let verdict = match down {
                true => Verdict::NoAgent,
                false => probe(probe_client, self.rules.timeout).await,
            };
            let silent = !verdict.is_ready() && asked.elapsed() >= self.rules.timeout;
            self.conclude(track, verdict, reconnected, told).await;
            reconnected = false;
            let pause = match silent && track.is_in_doubt() {
                true => DOUBT_PROBE_GAP.min(self.rules.period),
                false => self.rules.period,
            };
            let doubted = async {
                tokio::time::sleep(DOUBT_PROBE_GAP).await;
                self.member.doubted().await;
            };
            tokio::select! {
                changed = self.access.changed() => return changed,
                () = tokio::time::sleep(pause) => {}
                () = doubted => {}
                () = tunnel.watch.turned() => {}
            }
        }
    }

    async fn conclude(
        &self,
        track: &mut Track,
        verdict: Verdict,
        reconnected: bool,
        told: &(impl Fn(Told<'_>) + Send),
    ) {
        let name = self.member.name();
        let reported = track.observe(verdict).clone();
        self.metrics.cluster_ready(name, reported.is_ready());
        if let Some(state) = self.member.judge(&reported, reconnected) {
            match &state {
                MemberState::NotReady { message, .. } => {
                    tracing::warn!(cluster = name, reason = %message, "cluster is not ready");
                }
                _ => tracing::info!(cluster = name, "cluster is ready"),
            }
            told(Told::State(&state));
        }
        self.reporter.report(name, &reported).await;
    }
}

/// Asks `/healthz`, and `/version` if that is `ok`.
async fn probe(probe_client: &Client, timeout: Duration) -> Verdict {
    let body = match tokio::time::timeout(timeout, ask(probe_client, "/healthz")).await {
        Err(_) => {
            return Verdict::Unreachable {
                error: format!("no answer within {} s", timeout.as_secs_f32()),
            };
        }
        Ok(Err(error)) => return Verdict::Unreachable { error },
        Ok(Ok(body)) => body,
    };
    if !body.trim_ascii().eq_ignore_ascii_case(b"ok") {
        return Verdict::NotReady;
    }
    let version = tokio::time::timeout(timeout, ask(probe_client, "/version")).await;
    let version = version.ok().and_then(Result::ok);
    Verdict::Ready {
        version: version
            .and_then(|body| serde_json::from_slice::<Info>(&body).ok())
            .map(|info| info.git_version),
    }
}

/// The body of a path, or why there is none, in words. Unlike kube's own requests it does not swallow a body of any
/// length: a server that never stops talking must not fill our memory.
async fn ask(probe_client: &Client, path: &str) -> Result<Bytes, String> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("constant paths are URIs");
    let sent = probe_client.send(request).await;
    let (head, body) = sent.map_err(|error| message(&error))?.into_parts();
    let read = Limited::new(body, MAX_PROBE_BODY).collect().await;
    let body = read.map_err(|error| error.to_string())?.to_bytes();
    if head.status.is_success() {
        return Ok(body);
    }
    Err(match serde_json::from_slice::<Status>(&body) {
        Ok(status) if !status.message.is_empty() => status.message,
        _ => format!("it answers {}", head.status),
    })
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    /// A client of a server whose answers are `status` and `chunks` pieces of `piece`.
    fn client(status: u16, piece: &'static str, chunks: usize) -> Client {
        let answer = move |_request: Request<Body>| async move {
            let pieces = futures::stream::repeat(piece).take(chunks);
            let frames = pieces
                .map(|piece| Ok::<_, std::io::Error>(hyper::body::Frame::data(Bytes::from(piece))));
            let mut response = http::Response::new(http_body_util::StreamBody::new(frames));
            *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
            Ok::<_, std::convert::Infallible>(response)
        };
        Client::new(tower::service_fn(answer), "default")
    }

    async fn verdict(status: u16, piece: &'static str, chunks: usize) -> Verdict {
        probe(&client(status, piece, chunks), Duration::from_secs(60)).await
    }

    #[tokio::test]
    async fn odd_answers_are_told_and_endless_ones_are_cut() {
        assert_eq!(
            verdict(200, "ok", 1).await,
            Verdict::Ready { version: None }
        );
        assert_eq!(verdict(200, "no", 1).await, Verdict::NotReady);
        let endless = verdict(200, "0123456789abcdef", usize::MAX).await;
        assert_eq!(
            endless.message(),
            "cluster is not reachable: length limit exceeded"
        );
        let refused = r#"{"kind":"Status","status":"Failure","message":"Unauthorized","code":401}"#;
        for (piece, words) in [
            (refused, "Unauthorized"),
            ("<html>", "it answers 401 Unauthorized"),
        ] {
            let message = verdict(401, piece, 1).await.message();
            assert_eq!(message, format!("cluster is not reachable: {words}"));
        }
    }
}
