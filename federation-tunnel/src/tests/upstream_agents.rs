//! Konnectivity's agents on our port, under our identity.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agent::Upstream;
use crate::identity::{AgentIdentity, AgentKey, Trust};
use crate::konnectivity::{
    self, AgentConfig, AgentState, Agents, AgentsConfig, ClusterDial, Dial, Servers, run_agent,
};
use crate::seams::{BoxIo, Connector};
use crate::testing::{Net, Targets, World, echo_over, hub_address, until};
use crate::{Class, ClusterId, HUB_SERVER_NAME, Refusal, Seams};

struct ToHub {
    net: Net,
    trust: Trust,
    identity: Option<AgentIdentity>,
    seams: Seams,
}

#[async_trait]
impl Servers for ToHub {
    async fn connect(&self) -> io::Result<BoxIo> {
        let config =
            crate::tls::client(&self.trust, self.identity.as_ref(), b"h2", &self.seams).unwrap();
        let io = self.net.connect(&hub_address()).await?;
        let name = HUB_SERVER_NAME.try_into().unwrap();
        let tls = tokio_rustls::TlsConnector::from(config)
            .connect(name, io)
            .await?;
        Ok(Box::new(tls))
    }
}

struct ToTargets(Targets);

#[async_trait]
impl Dial for ToTargets {
    async fn dial(&self, target: &str) -> Result<BoxIo, konnectivity::DialError> {
        let target = target
            .parse()
            .map_err(|_| konnectivity::DialError::Target(target.to_owned()))?;
        Ok(self.0.connect(&target).await?)
    }
}

/// Starts an upstream agent with a certificate for these clusters, or without one.
fn agent(world: &World, clusters: &[ClusterId]) -> watch::Receiver<AgentState> {
    agent_that_says(world, clusters, "")
}

fn agent_that_says(
    world: &World,
    clusters: &[ClusterId],
    identifiers: &str,
) -> watch::Receiver<AgentState> {
    let identity = (!clusters.is_empty()).then(|| {
        let key = AgentKey::generate().unwrap();
        let life = Duration::from_secs(3600);
        let leaf = world
            .authority
            .issue_agent(&key.request().unwrap(), clusters, life)
            .unwrap();
        AgentIdentity::new(vec![leaf], &key).unwrap()
    });
    let servers = ToHub {
        net: world.net.clone(),
        trust: Trust::Pins(vec![world.authority.pin()]),
        identity,
        seams: world.seams.clone(),
    };
    let (state, seen) = watch::channel(AgentState::default());
    let seams = world.seams.clone();
    let mut config = AgentConfig::new("upstream-agent", "hub");
    config.identifiers = identifiers.parse().unwrap();
    tokio::spawn(run_agent(
        config,
        Arc::new(servers),
        Arc::new(ToTargets(world.targets.clone())),
        move || seams.unit(),
        state,
        CancellationToken::new(),
    ));
    seen
}

#[tokio::test(start_paused = true)]
async fn an_upstream_agent_serves_its_cluster_until_that_is_deleted() {
    let world = World::new(80);
    let id = world.cluster("hz-1", "uid-1");
    let other = world.cluster("sh-1", "uid-2");
    let (tunnels, _hub) = world.hub();
    tunnels.serve_upstream_agents(Agents::new(AgentsConfig::new("hub-0")));
    let _agent = agent(&world, std::slice::from_ref(&id));
    until("up", || tunnels.is_up(id.name())).await;
    let echo = Targets::at(Targets::ECHO);
    let stream = tunnels
        .dial(id.name(), &echo, Class::Interactive)
        .await
        .unwrap();
    // The protocol has no half-close, so the echo is compared without one.
    let (mut read, mut write) = tokio::io::split(stream);
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    write.write_all(&[5; 20_000]).await.unwrap();
    let mut back = vec![0; 20_000];
    read.read_exact(&mut back).await.unwrap();
    assert!(back.iter().all(|&b| b == 5));
    let error = tunnels
        .dial(other.name(), &echo, Class::Interactive)
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), "no-agent");
    let stats = tunnels.stats();
    assert_eq!([stats.clusters, stats.connections, stats.streams], [1; 3]);
    assert_eq!(
        stats.first_certificate_ends_in.map(|left| left / 600),
        Some(6)
    );
    assert!(stats.bytes_read > 20_000, "{stats:?}");
    world.directory.remove(id.name());
    tunnels.recheck(id.name());
    let took = until("down", || !tunnels.is_up(id.name())).await;
    assert!(took <= Duration::from_secs(1), "{took:?}");
    let ended = |stats: crate::HubStats| stats.ends.contains(&("no-longer", 1));
    assert!(ended(tunnels.stats()), "{:?}", tunnels.stats());
}

#[tokio::test(start_paused = true)]
async fn what_an_upstream_agent_says_narrows_what_it_serves_and_no_more() {
    let world = World::new(83);
    let [one, two] = [("hz-1", "uid-1"), ("hz-2", "uid-2")].map(|(n, uid)| world.cluster(n, uid));
    let (tunnels, _hub) = world.hub();
    tunnels.serve_upstream_agents(Agents::new(AgentsConfig::new("hub-0")));
    let _greedy = agent_that_says(&world, std::slice::from_ref(&one), "host=hz-2");
    let refused = || tunnels.stats().refused(Refusal::ForeignCluster);
    until("refused", || refused() >= 2).await;
    assert!(tunnels.clusters().is_empty(), "{:?}", tunnels.clusters());
    let _modest = agent_that_says(&world, &[one.clone(), two.clone()], "host=hz-2");
    until("up", || tunnels.is_up(two.name())).await;
    assert!(!tunnels.is_up(one.name()));
}

#[tokio::test(start_paused = true)]
async fn upstream_agents_need_a_certificate_and_a_hub_that_serves_them() {
    let world = World::new(81);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, hub) = world.hub();
    let _agent = agent(&world, std::slice::from_ref(&id));
    until("not served", || {
        tunnels.stats().refused(Refusal::Protocol) >= 1
    })
    .await;
    drop((hub, tunnels));
    let (tunnels, _hub) = world.hub();
    tunnels.serve_upstream_agents(Agents::new(AgentsConfig::new("hub-0")));
    let _nobody = agent(&world, &[]);
    until("no certificate", || {
        tunnels.stats().refused(Refusal::NoCertificate) >= 1
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn fronts_of_upstream_reach_our_agents() {
    let world = World::new(82);
    let pair = world.pair(world.agent_config()).await;
    let stream = ClusterDial::dial_cluster(&pair.tunnels, "hz-1", "kubernetes.default.svc:443")
        .await
        .unwrap();
    echo_over(stream, 10_000).await;
    for (cluster, target) in [
        ("sh-1", "kubernetes.default.svc:443"),
        ("hz-1", "no port"),
        ("No Name", "a:1"),
    ] {
        assert!(
            ClusterDial::dial_cluster(&pair.tunnels, cluster, target)
                .await
                .is_err(),
            "{cluster} {target}"
        );
    }
}
