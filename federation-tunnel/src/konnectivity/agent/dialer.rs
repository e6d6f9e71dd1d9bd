//! Sockets for what a server dials.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;

use crate::address::HostPort;
use crate::agent::{AllowList, Upstream};
use crate::konnectivity::dial::{Dial, DialError};
use crate::seams::BoxIo;

/// As upstream's agent.
const CONNECT: Duration = Duration::from_secs(5);

/// What a server may dial through an agent. Upstream's agents dial whatever they are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Everything that the agent can reach.
    Everything,
    /// These targets, each `host:port`, compared as they are written.
    Only(Vec<String>),
}

/// Opens TCP connections to allowed targets, within 5 seconds.
#[derive(Clone, Debug)]
pub struct TcpDial {
    /// What may be dialled.
    pub allowed: Allowed,
}

#[async_trait]
impl Dial for TcpDial {
    async fn dial(&self, target: &str) -> Result<BoxIo, DialError> {
        if let Allowed::Only(targets) = &self.allowed
            && !targets.iter().any(|allowed| allowed == target)
        {
            let target = target.chars().take(300).collect();
            return Err(DialError::NotAllowed(target));
        }
        let socket = tokio::time::timeout(CONNECT, TcpStream::connect(target))
            .await
            .map_err(|_| DialError::Timeout(CONNECT))??;
        socket.set_nodelay(true)?;
        Ok(Box::new(socket))
    }
}

/// Connects to what an allow-list passes, as our own agent does, within 5 seconds.
#[derive(Clone)]
pub struct ListedDial {
    /// What may be dialled.
    pub allow: AllowList,
    /// How.
    pub upstream: Arc<dyn Upstream>,
}

impl std::fmt::Debug for ListedDial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ListedDial({:?})", self.allow)
    }
}

#[async_trait]
impl Dial for ListedDial {
    async fn dial(&self, target: &str) -> Result<BoxIo, DialError> {
        let printable = || target.chars().take(300).collect::<String>();
        let address: HostPort = target.parse().map_err(|_| DialError::Target(printable()))?;
        if !self.allow.permits(&address) {
            return Err(DialError::NotAllowed(printable()));
        }
        let connected = tokio::time::timeout(CONNECT, self.upstream.connect(&address)).await;
        match connected {
            Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(DialError::NotAllowed(error.to_string()))
            }
            Ok(result) => Ok(result?),
            Err(_) => Err(DialError::Timeout(CONNECT)),
        }
    }
}
