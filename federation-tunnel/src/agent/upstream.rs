//! How an agent reaches its targets.

use std::collections::HashMap;
use std::io;

use async_trait::async_trait;
use tokio::net::{TcpStream, lookup_host};

use super::allow::AllowList;
use crate::address::{Host, HostPort};
use crate::seams::BoxIo;

/// Connects to targets that the allow-list has passed.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// Opens a connection. The caller limits how long it takes, and drops the future when the hub gives up. An error of kind `PermissionDenied`
    /// says that the name leads to where it may not.
    async fn connect(&self, target: &HostPort) -> io::Result<BoxIo>;
}

/// Plain TCP, through the system's resolver.
#[derive(Clone, Debug, Default)]
pub struct TcpUpstream {
    allow: AllowList,
    aliases: HashMap<HostPort, HostPort>,
}

impl TcpUpstream {
    /// Checks what names resolve to against `allow`.
    #[must_use]
    pub fn new(allow: AllowList) -> Self {
        Self {
            allow,
            aliases: HashMap::new(),
        }
    }

    /// Goes to `address` when `target` is asked for, and checks nothing more: an agent outside the cluster's network knows its API server by another
    /// name than Pods do.
    #[must_use]
    pub fn alias(mut self, target: HostPort, address: HostPort) -> Self {
        self.aliases.insert(target, address);
        self
    }
}

#[async_trait]
impl Upstream for TcpUpstream {
    async fn connect(&self, target: &HostPort) -> io::Result<BoxIo> {
        let alias = self.aliases.get(target);
        let address = alias.unwrap_or(target);
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for resolved in lookup_host((address.host().to_string(), address.port())).await? {
            let named = matches!(address.host(), Host::Name(_));
            if alias.is_none() && named && !self.allow.permits_resolved(resolved.ip()) {
                failed = io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("{target} leads to {}", resolved.ip()),
                );
                continue;
            }
            match TcpStream::connect(resolved).await {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(Box::new(socket));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}
