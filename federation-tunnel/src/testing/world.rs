//! Hubs and agents on the simulated network.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Net, Targets};
use crate::address::HostPort;
use crate::agent::{
    Agent, AgentConfig, AgentHandle, AgentParts, AllowList, IdentityStore, MemoryIdentity,
};
use crate::cluster::{ClusterId, ClusterName};
use crate::hub::{HubConfig, Tunnels};
use crate::identity::{Authority, MemoryDirectory, MemoryTokens, Trust};
use crate::seams::{Io, Seams};
use crate::wire::Class;

/// Something that runs until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(run(stop.clone())),
            stop,
        }
    }

    /// In order.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn hub_address() -> HostPort {
    "hub:8091".parse().unwrap()
}

/// Waits until something is so, for a minute of virtual time at most; returns how long it took.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

pub(crate) struct World {
    pub(crate) seams: Seams,
    pub(crate) net: Net,
    pub(crate) authority: Arc<Authority>,
    pub(crate) directory: MemoryDirectory,
    pub(crate) tokens: MemoryTokens,
    pub(crate) targets: Targets,
    pub(crate) hub_config: HubConfig,
    /// Added to the wall clock.
    pub(crate) skew: Arc<AtomicU64>,
}

impl World {
    pub(crate) fn new(seed: u128) -> Self {
        let start = Instant::now();
        let skew = Arc::new(AtomicU64::new(0));
        // Xorshift: repeatable, and good enough for jitter and test tokens.
        let state = Mutex::new(seed | 1);
        let added = skew.clone();
        let seams = Seams::new(
            move || {
                let passed = start.elapsed() + Duration::from_secs(added.load(Ordering::Relaxed));
                UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000) + passed)
            },
            move || {
                let mut x = state.lock().unwrap();
                *x ^= *x << 13;
                *x ^= *x >> 7;
                *x ^= *x << 17;
                *x
            },
        );
        Self {
            net: Net::new(&seams),
            authority: Arc::new(Authority::generate(&seams).unwrap()),
            directory: MemoryDirectory::default(),
            tokens: MemoryTokens::default(),
            targets: Targets::default(),
            hub_config: HubConfig::default(),
            skew,
            seams,
        }
    }

    /// Registers a cluster.
    pub(crate) fn cluster(&self, name: &str, uid: &str) -> ClusterId {
        let id = ClusterId::new(name.parse().unwrap(), uid).unwrap();
        self.directory.insert(&id);
        id
    }

    /// Starts a hub at the usual address.
    pub(crate) fn hub(&self) -> (Tunnels, Running) {
        self.hub_at(&hub_address())
    }

    pub(crate) fn hub_at(&self, at: &HostPort) -> (Tunnels, Running) {
        let tunnels = Tunnels::new(
            self.hub_config.clone(),
            self.authority.clone(),
            Arc::new(self.directory.clone()),
            Arc::new(self.tokens.clone()),
            &self.seams,
        )
        .unwrap();
        let (serving, listener) = (tunnels.clone(), self.net.listen(at));
        let running = Running::start(|stop| async move { serving.serve(listener, stop).await });
        (tunnels, running)
    }

    /// An agent's configuration: everything in [`Targets`] is allowed.
    pub(crate) fn agent_config(&self) -> AgentConfig {
        let trust = Trust::Pins(vec![self.authority.pin()]);
        let mut config = AgentConfig::new(hub_address(), trust);
        config.allow = AllowList::new(vec!["kubernetes.default.svc:*".parse().unwrap()]);
        config
    }

    /// An identity store with a fresh token for a cluster.
    pub(crate) fn token_for(&self, cluster: &ClusterId) -> MemoryIdentity {
        let token = self
            .tokens
            .issue(cluster, Duration::from_secs(3600), &self.seams);
        MemoryIdentity::with_token(token.expose())
    }

    pub(crate) fn agent(
        &self,
        config: AgentConfig,
        store: impl IdentityStore,
    ) -> (AgentHandle, Running) {
        let agent = Agent::new(
            config,
            AgentParts {
                connector: Arc::new(self.net.clone()),
                upstream: Arc::new(self.targets.clone()),
                store: Arc::new(store),
                seams: self.seams.clone(),
            },
        );
        let handle = agent.handle();
        (handle, Running::start(|stop| agent.run(stop)))
    }

    /// A hub, a cluster and its agent, connected.
    pub(crate) async fn pair(&self, config: AgentConfig) -> Pair {
        let id = self.cluster("hz-1", "uid-1");
        let (tunnels, hub) = self.hub();
        let connections = config.connections;
        let store = self.token_for(&id);
        let (agent, agent_task) = self.agent(config, store.clone());
        let cluster = id.name().clone();
        until("connected", || {
            tunnels.status(&cluster).connections == connections
        })
        .await;
        Pair {
            tunnels,
            _hub: hub,
            agent,
            agent_task,
            cluster,
            store,
        }
    }
}

pub(crate) struct Pair {
    pub(crate) tunnels: Tunnels,
    _hub: Running,
    pub(crate) agent: AgentHandle,
    pub(crate) agent_task: Running,
    pub(crate) cluster: ClusterName,
    pub(crate) store: MemoryIdentity,
}

impl Pair {
    pub(crate) async fn open(&self, port: u16) -> crate::transport::TunnelStream {
        self.tunnels
            .dial_local(&self.cluster, &Targets::at(port), Class::Interactive)
            .await
            .unwrap()
    }

    /// Sends a pattern of `n` bytes to the echo and compares what comes back; the time it took.
    pub(crate) async fn echo(&self, n: usize) -> Duration {
        let start = Instant::now();
        let stream = self.open(Targets::ECHO).await;
        echo_over(stream, n).await;
        start.elapsed()
    }
}

/// Sends a pattern over an echo and compares.
pub(crate) async fn echo_over(stream: impl Io, n: usize) {
    let pattern: Vec<u8> = (0..n).map(|i| (i * 31 % 251) as u8).collect();
    let (mut read, mut write) = tokio::io::split(stream);
    let (sent, mut back) = (pattern.clone(), Vec::new());
    let both = async {
        tokio::join!(
            async {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            },
            async {
                read.read_to_end(&mut back).await.unwrap();
            }
        )
    };
    timeout(Duration::from_secs(60), both)
        .await
        .expect("the echo never came");
    assert!(back == pattern, "{} bytes of {n} came back", back.len());
}
