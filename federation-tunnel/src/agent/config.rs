//! What an agent can be told.

use std::sync::Arc;
use std::time::Duration;

use super::allow::AllowList;
use super::backoff::BackoffTiming;
use super::keeper::IdentityStore;
use super::upstream::Upstream;
use crate::address::HostPort;
use crate::identity::Trust;
use crate::seams::{Connector, Seams};
use crate::transport::LivenessTiming;
use crate::wire::HUB_SERVER_NAME;

/// How an agent behaves.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The hub's processes: the agent keeps connections to each. At least one.
    pub hubs: Vec<HostPort>,
    /// The name that hubs' certificates must carry.
    pub server_name: String,
    /// Whom to take for the hub, until an issued certificate brings the authorities with it.
    pub trust: Trust,
    /// Serve only these of the names in the certificate; empty means all of them.
    pub clusters: Vec<String>,
    /// Connections to each hub, 1 to 4: with more than one, interactive and bulk streams do not share.
    pub connections: usize,
    /// What the hub may ask for.
    pub allow: AllowList,
    /// How a silent hub is found out.
    pub liveness: LivenessTiming,
    /// How long to wait between tries.
    pub backoff: BackoffTiming,
    /// How long connecting to the hub may take: socket, TLS and first messages.
    pub connect_timeout: Duration,
    /// How long connecting to a target may take.
    pub dial_timeout: Duration,
    /// Bytes from the hub that may wait for targets.
    pub bytes: u64,
    /// Streams at once.
    pub streams: usize,
    /// How long streams may go on after the agent was told to stop, or their connection was replaced for a reason other than a new certificate.
    pub grace: Duration,
    /// Program and version, for the hub's logs.
    pub software: String,
}

impl AgentConfig {
    /// The defaults, for one hub.
    #[must_use]
    pub fn new(hub: HostPort, trust: Trust) -> Self {
        Self {
            hubs: vec![hub],
            server_name: HUB_SERVER_NAME.to_owned(),
            trust,
            clusters: Vec::new(),
            connections: 2,
            allow: AllowList::default(),
            liveness: LivenessTiming::default(),
            backoff: BackoffTiming::default(),
            connect_timeout: Duration::from_secs(10),
            dial_timeout: Duration::from_secs(5),
            bytes: 256 << 20,
            streams: 20_000,
            grace: Duration::from_secs(30),
            software: concat!("koinon-proxy-agent/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// What an agent meets the world through.
#[derive(Clone)]
pub struct AgentParts {
    /// Reaches hubs.
    pub connector: Arc<dyn Connector>,
    /// Reaches targets.
    pub upstream: Arc<dyn Upstream>,
    /// Keeps key and certificate.
    pub store: Arc<dyn IdentityStore>,
    /// Clock and chance.
    pub seams: Seams,
}

impl std::fmt::Debug for AgentParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentParts")
    }
}
