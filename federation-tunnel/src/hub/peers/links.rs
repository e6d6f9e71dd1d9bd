//! The side that connects to peers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::Peers;
use super::pulse::Watched;
use super::serve::HEARTBEAT;
use crate::address::HostPort;
use crate::cluster::ClusterName;
use crate::hub::dial::DialError;
use crate::hub::registry::ClusterStatus;
use crate::hub::tunnels::{Inner as Hub, Tunnels};
use crate::seams::{BoxIo, Connector};
use crate::tls;
use crate::wire::{
    ALPN_PEER, Class, HUB_SERVER_NAME, PeerAnswer, PeerRequest, PeerRoute, PeerRoutes, VERSION,
    read_list, read_message, write_message,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A peer that says nothing for so long is gone, its agents with it, and all streams from and to it.
pub(super) const SILENCE: Duration = HEARTBEAT.saturating_mul(3);
/// How long connecting to a peer may take, up to its first word.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a certificate for peers is good; a new one is made after half of it.
const CERTIFICATE: Duration = Duration::from_secs(24 * 3600);
/// Longest pause between two tries to reach a peer.
const PAUSE: Duration = Duration::from_secs(2);
/// How often to look whether a peer that is off the list still has streams.
const LOOK: Duration = Duration::from_secs(1);

/// Connections to the hub's other processes. Cheap to clone; all clones are the same. Give it to [`Tunnels::set_peers`], tell it with
/// [`PeerLinks::set`] whom there is, and end it with [`PeerLinks::close`].
#[derive(Clone)]
pub struct PeerLinks(Arc<Inner>);

struct Inner {
    connector: Arc<dyn Connector>,
    hub: Mutex<Option<Arc<Hub>>>,
    peers: Mutex<HashMap<String, Peer>>,
    tls: Mutex<Option<(Arc<ClientConfig>, u64)>>,
}

struct Peer {
    address: HostPort,
    /// It is off the list.
    retired: CancellationToken,
}

impl std::fmt::Debug for PeerLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerLinks")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PeerLinks {
    /// Of one process's tunnels; `connector` reaches the other processes. Nobody is known yet.
    #[must_use]
    pub fn new(tunnels: &Tunnels, connector: Arc<dyn Connector>) -> Self {
        Self(Arc::new(Inner {
            connector,
            hub: Mutex::new(Some(tunnels.inner().clone())),
            peers: Mutex::default(),
            tls: Mutex::default(),
        }))
    }

    /// Says who the other processes are: all of them, by name, with where they listen. This process's own name is left out by the caller.
    pub fn set(&self, peers: &[(String, HostPort)]) {
        let Some(hub) = lock(&self.0.hub).clone() else {
            return;
        };
        let mut known = lock(&self.0.peers);
        known.retain(|name, peer| {
            let stays = peers
                .iter()
                .any(|(other, at)| other == name && *at == peer.address);
            if !stays {
                peer.retired.cancel();
                hub.registry.forget_peer(name);
                tracing::info!(peer = name, "a process of the hub is gone");
            }
            stays
        });
        for (name, address) in peers {
            if known.contains_key(name) {
                continue;
            }
            tracing::info!(peer = name, %address, "a process of the hub is there");
            let retired = CancellationToken::new();
            let followed = Followed {
                links: self.0.clone(),
                hub: hub.clone(),
                name: name.clone(),
                address: address.clone(),
                retired: retired.clone(),
            };
            tokio::spawn(followed.run());
            let address = address.clone();
            known.insert(name.clone(), Peer { address, retired });
        }
    }

    /// Forgets everybody. Streams that are open go on, as long as their peers are heard.
    pub fn close(&self) {
        self.set(&[]);
        lock(&self.0.hub).take();
    }
}

impl Inner {
    /// A connection to a peer, after the request was sent.
    async fn open(
        &self,
        hub: &Hub,
        address: &HostPort,
        request: &PeerRequest,
    ) -> Result<TlsStream<BoxIo>, BoxError> {
        let config = self.tls(hub)?;
        let open = async {
            let io = self.connector.connect(address).await?;
            let name = ServerName::try_from(HUB_SERVER_NAME)?;
            let mut socket = TlsConnector::from(config).connect(name, io).await?;
            if socket.get_ref().1.alpn_protocol() != Some(ALPN_PEER) {
                return Err("the other side is no process of a hub".into());
            }
            write_message(&mut socket, request).await?;
            Ok(socket)
        };
        timeout(CONNECT, open)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {CONNECT:?}").into()))
    }

    fn tls(&self, hub: &Hub) -> Result<Arc<ClientConfig>, BoxError> {
        let mut held = lock(&self.tls);
        let now = hub.seams.now().as_secs();
        if let Some((config, until)) = &*held
            && now < *until
        {
            return Ok(config.clone());
        }
        let identity = hub
            .enrollment
            .authority
            .issue_peer(&hub.config.name, CERTIFICATE)?;
        let config = tls::peer_client(&hub.enrollment.authorities, identity, &hub.seams)?;
        *held = Some((config.clone(), now + CERTIFICATE.as_secs() / 2));
        Ok(config)
    }
}

/// One peer that is listened to: which clusters it holds, and whether it lives.
struct Followed {
    links: Arc<Inner>,
    hub: Arc<Hub>,
    name: String,
    address: HostPort,
    retired: CancellationToken,
}

impl Followed {
    /// Goes on while the peer is on the list, or has streams: these need to know whether it lives.
    async fn run(self) {
        tokio::select! {
            () = self.follow() => {}
            () = self.unneeded() => {}
        }
        if !lock(&self.links.peers).contains_key(&self.name) {
            self.hub.pulses.forget(&self.name);
        }
    }

    async fn unneeded(&self) {
        self.retired.cancelled().await;
        while self.hub.pulses.is_watched(&self.name) {
            sleep(LOOK).await;
        }
    }

    async fn follow(&self) {
        let mut pause = PAUSE / 16;
        loop {
            let ended = self.listen(&mut pause).await;
            self.note(true, Vec::new());
            if let Err(error) = ended {
                tracing::debug!(peer = self.name, %error, "a process of the hub does not answer");
            }
            sleep(pause.mul_f64(0.5 + self.hub.seams.unit() / 2.0)).await;
            pause = (pause * 2).min(PAUSE);
        }
    }

    async fn listen(&self, pause: &mut Duration) -> Result<(), BoxError> {
        let request = PeerRequest {
            version: VERSION,
            ..PeerRequest::default()
        };
        let mut socket = self.links.open(&self.hub, &self.address, &request).await?;
        loop {
            let news: PeerRoutes = timeout(SILENCE, read_list(&mut socket)).await??;
            *pause = PAUSE / 16;
            self.hub.pulses.beat(&self.name);
            self.note(
                news.full,
                news.routes.into_iter().filter_map(status).collect(),
            );
        }
    }

    /// Takes in what it says, unless it is off the list.
    fn note(&self, full: bool, routes: Vec<(ClusterName, ClusterStatus)>) {
        // While this is locked nobody takes it off.
        let _known = lock(&self.links.peers);
        if !self.retired.is_cancelled() {
            self.hub.registry.put_peer(&self.name, full, routes);
        }
    }
}

fn status(route: PeerRoute) -> Option<(ClusterName, ClusterStatus)> {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let status = ClusterStatus {
        agents: count(route.agents),
        connections: count(route.connections),
        streams: route.streams,
    };
    Some((route.cluster.parse().ok()?, status))
}

#[async_trait]
impl Peers for PeerLinks {
    async fn dial(
        &self,
        cluster: &ClusterName,
        target: &HostPort,
        class: Class,
    ) -> Option<Result<BoxIo, DialError>> {
        let hub = lock(&self.0.hub).clone()?;
        let mut holding = hub.registry.peers_with(cluster);
        if holding.is_empty() {
            return None;
        }
        // Who comes first is chance, so that no peer has all the load.
        let first = hub.seams.random() % holding.len() as u128;
        holding.rotate_left(usize::try_from(first).unwrap_or(0));
        let request = PeerRequest {
            version: VERSION,
            cluster: cluster.to_string(),
            target: target.to_string(),
            class: class.number(),
        };
        let mut failed: BoxError = "the process that holds the cluster has gone".into();
        for name in holding.iter().take(2) {
            let address = lock(&self.0.peers)
                .get(name)
                .map(|peer| peer.address.clone());
            let Some(address) = address else {
                continue;
            };
            match self.ask(&hub, &address, &request).await {
                Ok((_, answer)) if !answer.code.is_empty() => {
                    return Some(Err(DialError::from_peer(cluster, &answer)));
                }
                Ok((socket, _)) => {
                    return Some(Ok(match hub.pulses.watch(name) {
                        Some(watch) => Box::new(Watched::new(socket, &watch)),
                        None => Box::new(socket),
                    }));
                }
                Err(error) => failed = error,
            }
        }
        Some(Err(DialError::Peer(failed)))
    }
}

impl PeerLinks {
    async fn ask(
        &self,
        hub: &Hub,
        address: &HostPort,
        request: &PeerRequest,
    ) -> Result<(TlsStream<BoxIo>, PeerAnswer), BoxError> {
        let mut socket = self.0.open(hub, address, request).await?;
        let patience = hub.config.dial_timeout;
        let answer = timeout(patience, read_message(&mut socket)).await??;
        Ok((socket, answer))
    }
}
