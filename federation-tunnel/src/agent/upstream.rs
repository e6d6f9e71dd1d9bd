//! How an agent reaches its targets.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use socket2::{SockRef, TcpKeepalive};
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
            match open(resolved).await {
                Ok(socket) => return Ok(Box::new(socket)),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

/// A connection on which a target that vanishes is noticed also by those who only listen, as watches do.
async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    keep_alive(&socket)?;
    Ok(socket)
}

/// Has the kernel ask a silent target whether it is there: without an answer the connection ends within a minute and a half.
fn keep_alive(socket: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    SockRef::from(socket).set_tcp_keepalive(&probes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_target_that_vanishes_is_noticed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = open(listener.local_addr().unwrap()).await.unwrap();
        assert!(SockRef::from(&socket).keepalive().unwrap());
        let first = SockRef::from(&socket).tcp_keepalive_time().unwrap();
        assert_eq!(first, Duration::from_secs(30));
    }
}
