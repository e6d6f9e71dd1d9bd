//! What an agent is set up with.

use std::path::PathBuf;
use std::time::Duration;

use super::super::hub::Identifiers;
use super::super::machine::Limits;

/// When an agent tries to reach servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentTiming {
    /// Least of the longest waits after a failure (`--sync-interval`). The wait is a random part of it, and it doubles with each failure.
    pub retry: Duration,
    /// Most of the longest waits (`--sync-interval-cap`).
    pub retry_most: Duration,
    /// How often to look for more servers once all that are known of are connected, where there is more than one.
    pub probe: Duration,
    /// How long a server may take to answer, from the first byte of the connection.
    pub answer: Duration,
    /// How long connections may go on after the agent was asked to stop.
    pub drain: Duration,
}

impl Default for AgentTiming {
    /// Upstream's 1 s and 10 s, a look for new servers every 5 minutes, 20 s for an answer, 30 s to drain.
    fn default() -> Self {
        Self {
            retry: Duration::from_secs(1),
            retry_most: Duration::from_secs(10),
            probe: Duration::from_secs(300),
            answer: Duration::from_secs(20),
            drain: Duration::from_secs(30),
        }
    }
}

/// What an agent is set up with.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Its name (`--agent-id`). It must be fresh for each process: upstream's server confuses the connections of two streams of one name.
    pub agent_id: String,
    /// What it says it can reach (`--agent-identifiers`).
    pub identifiers: Identifiers,
    /// The server's name or address, as it is told to the server.
    pub authority: String,
    /// A service account's token, read at each connect (`--service-account-token-path`). The two ways to authenticate exclude each other:
    /// without it, the certificate counts.
    pub token: Option<PathBuf>,
    /// Bounds of each server's stream.
    pub limits: Limits,
    /// When it tries to reach servers.
    pub timing: AgentTiming,
}

impl AgentConfig {
    /// An agent without identifiers and token, with the usual limits and times.
    #[must_use]
    pub fn new(agent_id: &str, authority: &str) -> Self {
        Self {
            agent_id: agent_id.to_owned(),
            identifiers: Identifiers::default(),
            authority: authority.to_owned(),
            token: None,
            limits: Limits::default(),
            timing: AgentTiming::default(),
        }
    }
}
