//! Opening a stream to a target in a cluster.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::HeaderValue;
use http::{Method, Request, Response, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};

use super::choose::choose;
use super::link::Link;
use super::tunnels::Inner;
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::transport::{HEADERS, TunnelStream};
use crate::wire::{Class, DialRefusal, HEADER_CLUSTER, HEADER_DETAIL, HEADER_REASON, PeerAnswer};

/// A stream cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No agent of the cluster is connected. Other clusters' agents are never asked.
    #[error("no agent of cluster {0} is connected")]
    NoAgent(ClusterName),
    /// The cluster has as many streams as it may.
    #[error("cluster {0} has too many streams open")]
    TooMany(ClusterName),
    /// The agent refused.
    #[error("the agent of the cluster refuses ({reason}): {detail}")]
    Refused {
        /// Why.
        reason: DialRefusal,
        /// The agent's sentence, made printable.
        detail: String,
    },
    /// No answer in time.
    #[error("the agent of the cluster did not connect within {0:?}")]
    Timeout(Duration),
    /// The connection to the agent broke while it was asked.
    #[error("the tunnel to the cluster broke")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The agent's answer has headers of an absurd size.
    #[error("the agent's answer is too long")]
    Oversized,
    /// A peer of this hub could not do it.
    #[error("another process of the hub could not open the stream")]
    Peer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DialError {
    /// The words for metrics.
    pub const CODES: [&'static str; 13] = [
        "no-agent",
        "too-many-streams",
        "dial-timeout",
        "lost",
        "oversized-answer",
        "peer",
        "not-allowed",
        "bad-target",
        "foreign-cluster",
        "oversized",
        "unreachable",
        "timeout",
        "busy",
    ];

    /// The place in [`DialError::CODES`].
    pub(crate) fn index(&self) -> usize {
        match self {
            Self::NoAgent(_) => 0,
            Self::TooMany(_) => 1,
            Self::Timeout(_) => 2,
            Self::Lost(_) => 3,
            Self::Oversized => 4,
            Self::Peer(_) => 5,
            Self::Refused { reason, .. } => 6 + reason.index(),
        }
    }

    /// What a peer is told besides the code.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Refused { detail, .. } => detail.clone(),
            other => other.to_string(),
        }
    }

    /// What a peer says, as if it had happened here.
    pub(crate) fn from_peer(cluster: &ClusterName, answer: &PeerAnswer) -> Self {
        let detail: String = answer
            .detail
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect();
        match answer.code.as_str() {
            "no-agent" => Self::NoAgent(cluster.clone()),
            "too-many-streams" => Self::TooMany(cluster.clone()),
            "oversized-answer" => Self::Oversized,
            "lost" => Self::Lost(detail.into()),
            code => match code.parse() {
                Ok(reason) => Self::Refused { reason, detail },
                Err(_) => Self::Peer(detail.into()),
            },
        }
    }

    /// The word for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        Self::CODES[self.index()]
    }
}

/// Most tries per dial: an agent that fails is worth one other.
const TRIES: usize = 2;

/// Opens a stream over one of the cluster's connections. A try that fails before the target was reached is repeated once over another
/// connection: over any other if the connection was the reason, over another agent's if the agent was.
pub(crate) async fn dial(
    inner: &Inner,
    cluster: &ClusterName,
    target: &HostPort,
    class: Class,
) -> Result<TunnelStream, DialError> {
    let deadline = Instant::now() + inner.config.dial_timeout;
    let mut links = inner.registry.links(cluster);
    let open: u64 = links.iter().map(|link| link.flows.count()).sum();
    if open >= inner.config.limits.streams_per_cluster {
        return Err(DialError::TooMany(cluster.clone()));
    }
    let mut failed = None;
    for _ in 0..TRIES {
        let candidates: Vec<_> = links.iter().map(|link| link.candidate()).collect();
        let Some(place) = choose(&candidates, class) else {
            break;
        };
        let link = links.swap_remove(place);
        let answer = timeout_at(deadline, connect(&link, cluster, target)).await;
        let error = match answer {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => return Err(DialError::Timeout(inner.config.dial_timeout)),
        };
        match &error {
            DialError::Lost(_) => {}
            DialError::Refused { reason, .. } if reason.is_worth_another() => {
                links.retain(|other| other.agent != link.agent);
            }
            _ => return Err(error),
        }
        failed = Some(error);
    }
    Err(failed.unwrap_or_else(|| DialError::NoAgent(cluster.clone())))
}

pub(crate) async fn connect(
    link: &Arc<Link>,
    cluster: &ClusterName,
    target: &HostPort,
) -> Result<TunnelStream, DialError> {
    let lost = |error: h2::Error| {
        if error.is_go_away() || error.is_io() {
            // No new streams; those that are open may go on.
            link.draining.store(true, Ordering::Relaxed);
        }
        DialError::Lost(error.into())
    };
    let mut sender = link.sender.clone().ready().await.map_err(lost)?;
    let (answer, send) = sender
        .send_request(request(cluster, target), false)
        .map_err(lost)?;
    let answer = answer.await.map_err(lost)?;
    let size: usize = answer
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if size > HEADERS {
        return Err(DialError::Oversized);
    }
    if answer.status() != StatusCode::OK {
        return Err(refused(&answer));
    }
    Ok(TunnelStream::new(send, answer.into_body(), &link.flows))
}

fn request(cluster: &ClusterName, target: &HostPort) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    let mut uri = http::uri::Parts::default();
    uri.authority = target.to_string().parse().ok();
    *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_str(cluster.as_str()) {
        request.headers_mut().insert(HEADER_CLUSTER, value);
    }
    request
}

fn refused<B>(answer: &Response<B>) -> DialError {
    let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
    let reason = header(HEADER_REASON)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| DialRefusal::from_status(answer.status()));
    DialError::Refused {
        reason,
        detail: header(HEADER_DETAIL)
            .unwrap_or("no reason given")
            .chars()
            .take(300)
            .collect(),
    }
}
