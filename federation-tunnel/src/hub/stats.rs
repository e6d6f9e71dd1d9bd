//! What the hub's tunnel has done, as plain numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use super::dial::DialError;
use super::end::End;
use crate::transport::Meter;
use crate::wire::Refusal;

/// Counters, living.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) enrolled: AtomicU64,
    pub(crate) renewed: AtomicU64,
    pub(crate) forwarded: AtomicU64,
    /// Bytes of connections that have ended.
    pub(crate) read: AtomicU64,
    pub(crate) written: AtomicU64,
    refusals: [AtomicU64; Refusal::ALL.len()],
    failures: [AtomicU64; DialError::CODES.len()],
    ends: [AtomicU64; End::CODES.len()],
}

impl Counters {
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refusals[refusal.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: &DialError) {
        self.failures[error.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, end: End) {
        self.ends[end.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the numbers of a connection that has ended.
    pub(crate) fn carried(&self, meter: &Meter) {
        self.read.fetch_add(meter.read(), Ordering::Relaxed);
        self.written.fetch_add(meter.written(), Ordering::Relaxed);
    }

    pub(crate) fn refusals(&self) -> Vec<(&'static str, u64)> {
        let codes = Refusal::ALL.into_iter().map(Refusal::code);
        pairs(codes, &self.refusals)
    }

    pub(crate) fn failures(&self) -> Vec<(&'static str, u64)> {
        pairs(DialError::CODES.into_iter(), &self.failures)
    }

    pub(crate) fn ends(&self) -> Vec<(&'static str, u64)> {
        pairs(End::CODES.into_iter(), &self.ends)
    }
}

fn pairs(
    codes: impl Iterator<Item = &'static str>,
    values: &[AtomicU64],
) -> Vec<(&'static str, u64)> {
    codes
        .zip(values)
        .map(|(code, value)| (code, value.load(Ordering::Relaxed)))
        .collect()
}

/// A snapshot for metrics, of our own agents and upstream's. Names with `_total` in their description only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Clusters that have a tunnel now.
    pub clusters: u64,
    /// Agents' connections now.
    pub connections: u64,
    /// Streams open now.
    pub streams: u64,
    /// Bytes that wait for readers, as of the last measurement.
    pub buffered_bytes: u64,
    /// Total of connections accepted.
    pub accepted: u64,
    /// Total of streams opened.
    pub streams_opened: u64,
    /// Total of bytes read from agents' sockets (TLS included).
    pub bytes_read: u64,
    /// Total of bytes written to agents' sockets (TLS included).
    pub bytes_written: u64,
    /// Total of certificates issued for a bootstrap token.
    pub enrolled: u64,
    /// Total of certificates renewed.
    pub renewed: u64,
    /// Total of streams opened through a peer.
    pub forwarded: u64,
    /// Totals of refused connections and requests, by [`Refusal::code`].
    pub refusals: Vec<(&'static str, u64)>,
    /// Totals of dials that failed, by [`DialError::code`].
    pub dial_failures: Vec<(&'static str, u64)>,
    /// Totals of connections ended, by [`End::CODES`].
    pub ends: Vec<(&'static str, u64)>,
    /// Seconds until the first certificate of a connected agent ends; `None` without agents.
    pub first_certificate_ends_in: Option<u64>,
}

impl HubStats {
    /// The count of one refusal.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refusals[refusal.index()].1
    }
}
