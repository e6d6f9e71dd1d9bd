//! What a hub's tunnel endpoint can be told.

use std::time::Duration;

use rustls_pki_types::CertificateDer;

use crate::transport::LivenessTiming;

/// Bounds of what agents and callers may take.
#[derive(Clone, Debug)]
pub struct HubLimits {
    /// Streams at once to one cluster.
    pub streams_per_cluster: u64,
    /// Connections at once of one cluster's agents, and of one agent.
    pub connections_per_cluster: usize,
    /// See [`HubLimits::connections_per_cluster`]. Twice the most that an agent uses, since it makes new ones before it drops the old.
    pub connections_per_agent: usize,
    /// Bytes that may wait for readers, per cluster.
    pub bytes_per_cluster: u64,
    /// Bytes that may wait for readers, in the whole process.
    pub bytes: u64,
    /// Handshakes at once; more wait in the kernel's queue.
    pub handshakes: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            streams_per_cluster: 10_000,
            connections_per_cluster: 64,
            connections_per_agent: 8,
            bytes_per_cluster: 256 << 20,
            bytes: 2 << 30,
            handshakes: 1024,
        }
    }
}

/// How a hub's tunnel endpoint behaves.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Names this process to agents, in their logs.
    pub name: String,
    /// Names and addresses of the hub for its certificate, besides [`crate::wire::HUB_SERVER_NAME`].
    pub hosts: Vec<String>,
    /// Further authorities whose certificates are taken: the old one while it is replaced, or the next one. Agents learn of them at renewal.
    pub more_authorities: Vec<CertificateDer<'static>>,
    /// How long agents' certificates are valid. A member that is off for longer than two thirds of this may need a new bootstrap token.
    /// Revocation does not wait for it: the hub asks its directory all the time.
    pub certificate_life: Duration,
    /// How long the hub's own certificate is valid; it is made anew after two thirds of that.
    pub server_certificate_life: Duration,
    /// How silent agents are found out.
    pub liveness: LivenessTiming,
    /// How long TLS and the first messages may take.
    pub handshake_timeout: Duration,
    /// How long a dial may take, end to end. The agent's own limit is shorter.
    pub dial_timeout: Duration,
    /// Bounds.
    pub limits: HubLimits,
}

impl Default for HubConfig {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            name: "hub".to_owned(),
            hosts: Vec::new(),
            more_authorities: Vec::new(),
            certificate_life: 30 * day,
            server_certificate_life: 90 * day,
            liveness: LivenessTiming::default(),
            handshake_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(10),
            limits: HubLimits::default(),
        }
    }
}
