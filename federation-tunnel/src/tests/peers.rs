//! Several processes of one hub, with an agent at one of them.

use std::sync::Arc;

use crate::hub::PeerLinks;
use crate::identity::Trust;
use crate::testing::{Running, Targets, World, echo_over, until};
use crate::{
    Class, ClusterId, DialError, DialRefusal, HostPort, HubConfig, Refusal, TunnelEvent, Tunnels,
};

/// Two processes that know of each other.
struct Two {
    a: Tunnels,
    b: Tunnels,
    links: [PeerLinks; 2],
    tasks: [Option<Running>; 2],
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
        let link = |tunnels: &Tunnels, other: &str| {
            let links = PeerLinks::new(tunnels, Arc::new(world.net.clone()));
            tunnels.set_peers(Arc::new(links.clone()));
            links.set(&[(other.to_owned(), address(other))]);
            links
        };
        Self {
            links: [link(&a, "b"), link(&b, "a")],
            a,
            b,
            tasks: [Some(first), Some(second)],
        }
    }
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
    drop(two.tasks[1].take());
    until("gone", || !two.a.is_up(id.name())).await;
    for links in &two.links {
        links.close();
    }
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
