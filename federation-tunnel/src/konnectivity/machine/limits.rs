//! How much one stream of packets may hold.

use std::time::Duration;

/// Bounds of one stream of packets: memory first, then how long one reader may hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections and pending dials. More are refused.
    pub connections: usize,
    /// Bytes that wait for one connection's reader. At this point the stream, and with it every connection, has to wait: the protocol can
    /// stop nobody alone.
    pub inbound: usize,
    /// How long all wait for such a reader to take a quarter of what waits for it. Then its connection is closed, and the others go on.
    /// `None` waits for as long as it takes, which is right where a stream carries one connection only.
    pub hold: Option<Duration>,
    /// Bytes that one connection may queue for the stream before its writer has to wait.
    pub outbound: usize,
    /// Bytes that all connections may queue.
    pub outbound_total: usize,
    /// Answers that belong to no connection and were not sent yet. A peer that provokes more without reading them is cut off.
    pub control: usize,
}

impl Default for Limits {
    /// 10,000 connections with 8 MiB for a slow reader, which holds up the others for at most 2 seconds: readers of 1 MiB/s and more are
    /// never closed, however much is sent to them.
    fn default() -> Self {
        Self {
            connections: 10_000,
            inbound: 8 << 20,
            hold: Some(Duration::from_secs(2)),
            outbound: 128 << 10,
            outbound_total: 16 << 20,
            control: 4_096,
        }
    }
}

impl Limits {
    /// For a stream of one connection: HTTP/2's own window holds the sender back.
    #[must_use]
    pub fn single() -> Self {
        Self {
            connections: 1,
            inbound: 256 << 10,
            hold: None,
            outbound: 256 << 10,
            outbound_total: 256 << 10,
            control: 64,
        }
    }
}
