//! The side that a peer connects to.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::pulse::vanished;
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::hub::registry::TunnelEvent;
use crate::hub::serve::Socket;
use crate::hub::tunnels::{Inner, Tunnels};
use crate::wire::{
    Class, FrameError, PeerAnswer, PeerRequest, PeerRoute, PeerRoutes, read_message, write_list,
    write_message,
};

/// How often a list of routes says that it lives.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// A peer that was let in, and what it wants.
pub(crate) struct PeerSession {
    /// The process's name, as its certificate says.
    peer: String,
    socket: Socket,
    request: PeerRequest,
}

/// Reads what a peer wants. That it is a peer, its certificate has shown.
pub(crate) async fn admit(mut socket: Socket, peer: String) -> Result<PeerSession, FrameError> {
    let request = read_message(&mut socket).await?;
    Ok(PeerSession {
        peer,
        socket,
        request,
    })
}

/// Does it, until either side ends.
pub(crate) async fn run(inner: &Arc<Inner>, session: PeerSession, from: &str) {
    let PeerSession {
        peer,
        mut socket,
        request,
    } = session;
    inner.pulses.seen(&peer);
    let ended = if request.cluster.is_empty() {
        routes(inner, &mut socket).await
    } else {
        stream(inner, &peer, &mut socket, &request).await
    };
    if let Err(error) = ended {
        tracing::debug!(from, %error, "a peer's connection ended");
    }
}

async fn stream(
    inner: &Arc<Inner>,
    peer: &str,
    socket: &mut Socket,
    request: &PeerRequest,
) -> std::io::Result<()> {
    let refusal = |code: &str, detail: String| PeerAnswer {
        code: code.to_owned(),
        detail,
    };
    let cluster: Result<ClusterName, _> = request.cluster.parse();
    let target: Result<HostPort, _> = request.target.parse();
    let (Ok(cluster), Ok(target)) = (cluster, target) else {
        let answer = refusal("bad-target", "a name or address that is none".to_owned());
        return write_message(socket, &answer).await;
    };
    let class = Class::from_number(request.class);
    match Tunnels::of(inner.clone())
        .dial_here(&cluster, &target, class)
        .await
    {
        Ok(mut member) => {
            write_message(socket, &PeerAnswer::default()).await?;
            // Whether the other process lives is known if it is listened to.
            let silent = async {
                match inner.pulses.watch(peer) {
                    Some(watch) => watch.silent().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                copied = tokio::io::copy_bidirectional(socket, &mut member) => copied.map(drop),
                () = silent => Err(vanished()),
            }
        }
        Err(error) => {
            let answer = refusal(error.code(), error.detail());
            write_message(socket, &answer).await?;
            socket.shutdown().await
        }
    }
}

/// Tells which clusters have agents in this process: all of them, then each that changes.
async fn routes(inner: &Arc<Inner>, socket: &mut Socket) -> std::io::Result<()> {
    let route = |cluster: &ClusterName| {
        let here = inner.registry.here(cluster);
        PeerRoute {
            cluster: cluster.to_string(),
            agents: here.agents as u64,
            connections: here.connections as u64,
            streams: here.streams,
        }
    };
    loop {
        let mut events = inner.registry.subscribe();
        let all = PeerRoutes {
            full: true,
            routes: inner.registry.clusters_here().iter().map(route).collect(),
        };
        write_list(socket, &all).await?;
        loop {
            let changed = match timeout(HEARTBEAT, events.recv()).await {
                Err(_) => Vec::new(),
                Ok(Ok(
                    TunnelEvent::Connected { cluster, .. }
                    | TunnelEvent::Disconnected { cluster, .. },
                )) => vec![route(&cluster)],
                Ok(Err(RecvError::Lagged(_))) => break,
                Ok(Err(RecvError::Closed)) => return Ok(()),
            };
            let news = PeerRoutes {
                full: false,
                routes: changed,
            };
            write_message(socket, &news).await?;
        }
    }
}
