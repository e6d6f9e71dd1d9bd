//! Several processes of one hub, with an agent at one of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::hub::PeerLinks;
use crate::identity::Trust;
use crate::testing::{Net, Running, Targets, World, echo_over, until};
use crate::{
    BoxIo, Class, ClusterId, DialError, DialRefusal, HostPort, HubConfig, Refusal, TunnelEvent,
    Tunnels,
};

/// Two processes that know of each other.
struct Two {
    a: Tunnels,
    b: Tunnels,
    links: [PeerLinks; 2],
    tasks: [Option<Running>; 2],
    /// Between the two, and no agent is on it.
    net: Net,
    _listeners: [Running; 2],
}

fn address(name: &str) -> HostPort {
    format!("hub-{name}:8091").parse().unwrap()
}

impl Two {
    fn start(world: &mut World) -> Self {
        let mut start = |name: &str| {
            world.hub_config = HubConfig {
                name: name.to_owned(),
                ..HubConfig::default()
            };
            world.hub_at(&address(name))
        };
        let ((a, first), (b, second)) = (start("a"), start("b"));
        let net = Net::new(&world.seams);
        let listen = |tunnels: &Tunnels, name: &str| {
            let (tunnels, listener) = (tunnels.clone(), net.listen(&address(name)));
            Running::start(|stop| async move { tunnels.serve(listener, stop).await })
        };
        let link = |tunnels: &Tunnels, other: &str| {
            let links = PeerLinks::new(tunnels, Arc::new(net.clone()));
            tunnels.set_peers(Arc::new(links.clone()));
            links.set(&[(other.to_owned(), address(other))]);
            links
        };
        Self {
            links: [link(&a, "b"), link(&b, "a")],
            _listeners: [listen(&a, "a"), listen(&b, "b")],
            net,
            a,
            b,
            tasks: [Some(first), Some(second)],
        }
    }
}

impl Two {
    /// A stream from the one to the agent of the other, which sends back what it gets.
    async fn echo(&self, id: &ClusterId) -> BoxIo {
        until("both know", || {
            self.a.is_up(id.name()) && self.b.is_up(id.name())
        })
        .await;
        let target = Targets::at(Targets::ECHO);
        let stream = self.a.dial(id.name(), &target, Class::Interactive).await;
        let mut stream = stream.unwrap();
        say(&mut stream).await.unwrap();
        stream
    }

    /// How long both sides believed in a stream between them after the network had gone silent.
    async fn vanish(&self, mut stream: BoxIo) -> Duration {
        self.net.weather(|weather| weather.black_hole = true);
        let start = Instant::now();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        until("the other side knows", || self.b.stats().streams == 0).await;
        start.elapsed()
    }
}

/// Something goes there and comes back.
async fn say(stream: &mut BoxIo) -> io::Result<()> {
    stream.write_all(b"hello").await?;
    stream.flush().await?;
    let mut back = [0; 5];
    stream.read_exact(&mut back).await?;
    assert_eq!(&back, b"hello");
    Ok(())
}

fn agent_at(world: &World, id: &ClusterId, name: &str) -> Running {
    let mut config = world.agent_config();
    config.hubs = vec![address(name)];
    let store = world.token_for(id);
    world.agent(config, store).1
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_through_the_process_that_has_the_agent() {
    let mut world = World::new(90);
    let id = world.cluster("hz-1", "uid-1");
    let mut two = Two::start(&mut world);
    let mut events = two.a.subscribe();
    let agent = agent_at(&world, &id, "b");
    until("both know", || {
        two.a.is_up(id.name()) && two.b.status(id.name()).connections == 2
    })
    .await;
    assert!(matches!(
        events.recv().await,
        Ok(TunnelEvent::Connected { .. })
    ));
    let dial = async |port| {
        two.a
            .dial(id.name(), &Targets::at(port), Class::Interactive)
            .await
    };
    echo_over(dial(Targets::ECHO).await.unwrap(), 100_000).await;
    assert_eq!(two.a.stats().forwarded, 1);
    let foreign: HostPort = "elsewhere.example:443".parse().unwrap();
    let refused = two.a.dial(id.name(), &foreign, Class::Bulk).await;
    let refused = refused.err().unwrap();
    let not_allowed = DialRefusal::NotAllowed;
    assert!(
        matches!(&refused, DialError::Refused { reason, .. } if *reason == not_allowed),
        "{refused}"
    );
    // Nobody forwards what was forwarded: that both ask each other must not go on for ever.
    agent.stop().await;
    until("both know", || {
        !two.a.is_up(id.name()) && !two.b.is_up(id.name())
    })
    .await;
    let none = dial(Targets::ECHO).await.err().unwrap();
    assert!(matches!(none, DialError::NoAgent(_)), "{none}");

    // A process that goes takes its agents with it.
    let _agent = agent_at(&world, &id, "b");
    until("back", || two.a.is_up(id.name())).await;
    two.net.reset_all();
    two.net.weather(|weather| weather.refuse = true);
    drop(two.tasks[1].take());
    until("gone", || !two.a.is_up(id.name())).await;
    for links in &two.links {
        links.close();
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_vanishes_without_a_word_is_noticed_at_both_ends() {
    let mut world = World::new(92);
    let id = world.cluster("hz-1", "uid-1");
    let two = Two::start(&mut world);
    let _agent = agent_at(&world, &id, "b");
    let mut stream = two.echo(&id).await;
    // Silence of the stream means nothing, nor does a short one of the network.
    sleep(Duration::from_secs(300)).await;
    say(&mut stream).await.unwrap();
    two.net.weather(|weather| weather.black_hole = true);
    sleep(Duration::from_secs(8)).await;
    two.net.weather(|weather| weather.black_hole = false);
    say(&mut stream).await.unwrap();
    let took = two.vanish(stream).await;
    assert!(took <= Duration::from_secs(16), "{took:?}");
    until("and its agents", || !two.a.is_up(id.name())).await;
    let target = Targets::at(Targets::ECHO);
    let start = Instant::now();
    let none = two.a.dial(id.name(), &target, Class::Interactive).await;
    assert_eq!(none.err().unwrap().code(), "no-agent");
    assert!(start.elapsed() <= Duration::from_secs(1));
}

/// Its Lease may end before its silence is noticed, or while it lives: the database is down.
#[tokio::test(start_paused = true)]
async fn a_process_off_the_list_keeps_its_streams_while_it_lives() {
    let mut world = World::new(93);
    let id = world.cluster("hz-1", "uid-1");
    let two = Two::start(&mut world);
    let _agent = agent_at(&world, &id, "b");
    let mut stream = two.echo(&id).await;
    for links in &two.links {
        links.set(&[]);
    }
    assert!(!two.a.is_up(id.name()));
    sleep(Duration::from_secs(60)).await;
    assert!(!two.a.is_up(id.name()));
    say(&mut stream).await.unwrap();
    let took = two.vanish(stream).await;
    assert!(took <= Duration::from_secs(16), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dial_to_a_process_that_has_just_vanished_ends_soon() {
    let mut world = World::new(94);
    let id = world.cluster("hz-1", "uid-1");
    let two = Two::start(&mut world);
    let _agent = agent_at(&world, &id, "b");
    drop(two.echo(&id).await);
    two.net.weather(|weather| weather.black_hole = true);
    let target = Targets::at(Targets::ECHO);
    let start = Instant::now();
    let none = two.a.dial(id.name(), &target, Class::Interactive).await;
    assert_eq!(none.err().unwrap().code(), "peer");
    assert!(start.elapsed() <= Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn thousands_of_clusters_are_told_to_a_process_that_comes_late() {
    let mut world = World::new(95);
    let two = Two::start(&mut world);
    for links in &two.links {
        links.set(&[]);
    }
    let name = |n: usize| format!("a-cluster-with-a-name-of-the-usual-length-{n}");
    let all: Vec<crate::ClusterName> = (0..5000).map(|n| name(n).parse().unwrap()).collect();
    two.b.inner().registry.upstream_serves(&all);
    two.links[0].set(&[("b".to_owned(), address("b"))]);
    until("all are known", || two.a.clusters().len() == all.len()).await;
    // They stay known, and what changes is told.
    sleep(Duration::from_secs(60)).await;
    assert_eq!(two.a.clusters().len(), all.len());
    two.b.inner().registry.upstream_has_gone(&all[..1]);
    until("one is gone", || !two.a.is_up(&all[0])).await;
    assert!(two.a.is_up(&all[1]));
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_no_process_of_the_hub() {
    use crate::tls;
    use crate::wire::{ALPN_PEER, PeerAnswer, PeerRequest, read_message, write_message};
    let world = World::new(91);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let key = crate::identity::AgentKey::generate().unwrap();
    let life = std::time::Duration::from_secs(3600);
    let leaf = world
        .authority
        .issue_agent(&key.request().unwrap(), &[id], life)
        .unwrap();
    let identity = crate::identity::AgentIdentity::new(vec![leaf], &key).unwrap();
    let trust = Trust::Pins(vec![world.authority.pin()]);
    for identity in [Some(&identity), None] {
        let before = tunnels.stats().refused(Refusal::UntrustedCertificate);
        let config = tls::client(&trust, identity, ALPN_PEER, &world.seams).unwrap();
        let io = crate::Connector::connect(&world.net, &crate::testing::hub_address())
            .await
            .unwrap();
        let name = crate::HUB_SERVER_NAME.try_into().unwrap();
        let mut socket = tokio_rustls::TlsConnector::from(config)
            .connect(name, io)
            .await
            .unwrap();
        let request = PeerRequest::default();
        let _ = write_message(&mut socket, &request).await;
        let answer: Result<PeerAnswer, _> = read_message(&mut socket).await;
        assert!(answer.is_err());
        until("counted", || {
            tunnels.stats().refused(Refusal::UntrustedCertificate) > before
        })
        .await;
    }
}
