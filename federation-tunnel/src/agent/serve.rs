//! Answers one request of the hub.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::HeaderValue;
use http::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::config::{AgentConfig, AgentParts};
use super::rejected::Rejected;
use super::stats::Counters;
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::seams::BoxIo;
use crate::transport::{Flows, HEADERS, TunnelStream, splice};
use crate::wire::{
    DialRefusal, HEADER_CLUSTER, HEADER_DETAIL, HEADER_REASON, HEADER_SPREAD, PATH_DRAIN,
};

/// What all streams of an agent share.
pub(crate) struct Shared {
    pub(crate) config: Arc<AgentConfig>,
    pub(crate) parts: AgentParts,
    pub(crate) counters: Arc<Counters>,
    pub(crate) rejected: Arc<Rejected>,
    pub(crate) streams: Semaphore,
}

/// A refusal with the sentence for a person.
struct Refused(DialRefusal, String);

/// What the hub said other than asking for a stream.
pub(crate) enum Notice {
    /// It stops: come back elsewhere within this time.
    Leave(Duration),
}

/// The hub's notices are told apart before anything else is looked at.
pub(crate) fn notice(request: &Request<RecvStream>) -> Option<Notice> {
    if request.method() != Method::POST || request.uri().path() != PATH_DRAIN {
        return None;
    }
    let millis = request
        .headers()
        .get(HEADER_SPREAD)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    Some(Notice::Leave(Duration::from_millis(millis)))
}

/// Confirms a notice.
pub(crate) fn confirm(mut respond: SendResponse<Bytes>) {
    // The hub may be gone already.
    let _ = respond.send_response(Response::new(()), true);
}

/// Serves one stream from request to end.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    clusters: Arc<[ClusterName]>,
    flows: Arc<Flows>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let counters = &shared.counters;
    let connecting = connect(&shared, &clusters, &request);
    let socket = tokio::select! {
        socket = connecting => socket,
        // The hub has given up.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    let (socket, _permit, target) = match socket {
        Ok(connected) => connected,
        Err(Refused(refusal, detail)) => {
            counters.refused_dial(refusal);
            tracing::warn!(code = %refusal, detail, "refused a stream");
            refuse(&mut respond, refusal, &detail);
            return;
        }
    };
    let Ok(send) = respond.send_response(Response::new(()), false) else {
        return;
    };
    counters.streams_opened.fetch_add(1, Ordering::Relaxed);
    counters.streams.fetch_add(1, Ordering::Relaxed);
    let _open = Open(counters.clone());
    let stream = TunnelStream::new(send, request.into_body(), &flows);
    let (copied, result) = splice(stream, socket).await;
    counters.to_targets.fetch_add(copied.out, Ordering::Relaxed);
    counters
        .from_targets
        .fetch_add(copied.back, Ordering::Relaxed);
    if let Err(error) = result {
        tracing::debug!(%target, %error, "a stream broke");
    }
}

/// Counts a stream as open while it lives, also when its task is dropped.
struct Open(Arc<Counters>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

type Connected<'a> = (BoxIo, tokio::sync::SemaphorePermit<'a>, HostPort);

async fn connect<'a>(
    shared: &'a Shared,
    clusters: &[ClusterName],
    request: &Request<RecvStream>,
) -> Result<Connected<'a>, Refused> {
    let target = target(shared, clusters, request)?;
    let permit = shared
        .streams
        .try_acquire()
        .map_err(|_| Refused(DialRefusal::Busy, "too many streams".to_owned()))?;
    let limit = shared.config.dial_timeout;
    match timeout(limit, shared.parts.upstream.connect(&target)).await {
        Ok(Ok(socket)) => Ok((socket, permit, target)),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(Refused(DialRefusal::NotAllowed, error.to_string()))
        }
        Ok(Err(error)) => {
            let refusal = if error.kind() == io::ErrorKind::TimedOut {
                DialRefusal::Timeout
            } else {
                DialRefusal::Unreachable
            };
            Err(Refused(refusal, format!("{target}: {error}")))
        }
        Err(_) => Err(Refused(
            DialRefusal::Timeout,
            format!("{target} did not answer within {limit:?}"),
        )),
    }
}

/// Where a request wants to go, if it may.
fn target(
    shared: &Shared,
    clusters: &[ClusterName],
    request: &Request<RecvStream>,
) -> Result<HostPort, Refused> {
    let headers = request.headers();
    let authority = request.uri().authority().map_or("", |a| a.as_str());
    let size = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum::<usize>()
        + authority.len();
    if size > HEADERS {
        return Err(Refused(
            DialRefusal::Oversized,
            format!("{size} bytes of headers"),
        ));
    }
    let cluster = headers.get(HEADER_CLUSTER).and_then(|v| v.to_str().ok());
    if !cluster.is_some_and(|wanted| clusters.iter().any(|name| name.as_str() == wanted)) {
        return Err(Refused(
            DialRefusal::ForeignCluster,
            format!("cluster {:?} is not served here", cluster.unwrap_or("")),
        ));
    }
    if request.method() != Method::CONNECT {
        return Err(Refused(
            DialRefusal::BadTarget,
            format!("{} is no CONNECT", request.method()),
        ));
    }
    let target: HostPort = authority
        .parse()
        .map_err(|error| Refused(DialRefusal::BadTarget, format!("{error}")))?;
    if !shared.config.allow.permits(&target) {
        return Err(Refused(
            DialRefusal::NotAllowed,
            format!("{target} is not on the agent's list of targets"),
        ));
    }
    Ok(target)
}

fn refuse(respond: &mut SendResponse<Bytes>, refusal: DialRefusal, detail: &str) {
    let mut response = Response::new(());
    *response.status_mut() = refusal.status();
    let printable: String = detail
        .chars()
        .map(|c| if (' '..='~').contains(&c) { c } else { '?' })
        .take(300)
        .collect();
    let headers = response.headers_mut();
    headers.insert(HEADER_REASON, HeaderValue::from_static(refusal.code()));
    if let Ok(value) = HeaderValue::from_str(&printable) {
        headers.insert(HEADER_DETAIL, value);
    }
    debug_assert_ne!(response.status(), StatusCode::OK);
    if respond.send_response(response, true).is_err() {
        respond.send_reset(Reason::REFUSED_STREAM);
    }
}
