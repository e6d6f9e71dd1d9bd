//! One connection of an agent, as the rest of the hub sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::watch;

use super::choose::Candidate;
use super::end::End;
use crate::cluster::ClusterName;
use crate::identity::AgentCertificate;
use crate::transport::{Flows, Meter};
use crate::wire::Class;

/// One connection of an agent. Its task owns the socket; this is the handle.
pub(crate) struct Link {
    pub(crate) id: u64,
    /// Names the agent's process. It is the agent's own word: only its own connections are told apart by it.
    pub(crate) agent: String,
    pub(crate) class: Class,
    /// What it serves: from the certificate, and existing.
    pub(crate) clusters: Vec<ClusterName>,
    pub(crate) certificate: AgentCertificate,
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) flows: Arc<Flows>,
    pub(crate) meter: Arc<Meter>,
    /// The agent or we ourselves want no new streams on it.
    pub(crate) draining: AtomicBool,
    /// Bytes per second lately.
    pub(crate) rate: AtomicU64,
    end: watch::Sender<Option<End>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({} of {}, {})", self.id, self.agent, self.class)
    }
}

/// What a link is made of.
pub(crate) struct Parts {
    pub(crate) id: u64,
    pub(crate) agent: String,
    pub(crate) class: Class,
    pub(crate) clusters: Vec<ClusterName>,
    pub(crate) certificate: AgentCertificate,
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) meter: Arc<Meter>,
}

impl Link {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            id: parts.id,
            agent: parts.agent,
            class: parts.class,
            clusters: parts.clusters,
            certificate: parts.certificate,
            sender: parts.sender,
            flows: Arc::default(),
            meter: parts.meter,
            draining: AtomicBool::new(false),
            rate: AtomicU64::new(0),
            end: watch::Sender::new(None),
        })
    }

    /// Tells the connection's task to end it now, streams and all. The first reason stays.
    pub(crate) fn close(&self, end: End) {
        self.end.send_if_modified(|slot| {
            let first = slot.is_none();
            slot.get_or_insert(end);
            first
        });
    }

    /// Waits for [`Link::close`].
    pub(crate) async fn closed(&self) -> End {
        let mut end = self.end.subscribe();
        // The sender lives in self.
        match end.wait_for(Option::is_some).await {
            Ok(end) => end.unwrap_or(End::Closed),
            Err(_) => End::Closed,
        }
    }

    pub(crate) fn candidate(&self) -> Candidate {
        Candidate {
            class: self.class,
            draining: self.draining.load(Ordering::Relaxed),
            rate: self.rate.load(Ordering::Relaxed),
            streams: self.flows.count(),
        }
    }
}
