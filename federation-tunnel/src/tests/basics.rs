//! What a tunnel does on a good day.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::testing::{Targets, World, echo_over, until};
use crate::{BoxIo, Class, ClusterName, DialError, HostPort, Peers, TunnelEvent, Tunnels};

#[tokio::test(start_paused = true)]
async fn bytes_go_both_ways_unchanged() {
    let world = World::new(1);
    let pair = world.pair(world.agent_config()).await;
    for n in [0, 1, 1000, 3_000_000] {
        pair.echo(n).await;
    }
    let echo = Targets::at(Targets::ECHO);
    let bulk = pair.tunnels.dial(&pair.cluster, &echo, Class::Bulk).await;
    echo_over(bulk.unwrap(), 100_000).await;
    until("streams are closed at both ends", || {
        pair.tunnels.stats().streams == 0 && pair.agent.stats().streams == 0
    })
    .await;
    let stats = pair.agent.stats();
    assert_eq!(stats.streams_opened, 5);
    assert_eq!(stats.bytes_to_targets, 3_101_001);
    assert_eq!(stats.bytes_from_targets, 3_101_001);
}

#[tokio::test(start_paused = true)]
async fn ends_of_a_direction_and_breaks_are_told_apart() {
    let world = World::new(2);
    let pair = world.pair(world.agent_config()).await;
    // The other side ends its direction; ours goes on.
    let mut stream = pair.open(Targets::BREAK).await;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 1000);
    assert_eq!(pair.agent.stats().streams, 1, "our direction is still open");
    drop(stream);
    // Dropping a stream breaks it for the target and closes it everywhere.
    let mut stream = pair.open(Targets::FLOOD).await;
    stream.read_exact(&mut [0; 100]).await.unwrap();
    drop(stream);
    until("the agent lets go", || pair.agent.stats().streams == 0).await;
    // An agent that stops at once breaks streams, and does not end them as if they were complete.
    let mut stream = pair.open(Targets::FLOOD).await;
    world.net.reset_all();
    let error = loop {
        match stream.read(&mut [0; 65536]).await {
            Ok(0) => panic!("a broken stream looks complete"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
}

#[tokio::test(start_paused = true)]
async fn long_links_get_larger_windows() {
    let world = World::new(3);
    world.net.weather(|w| w.latency = Duration::from_millis(50));
    let pair = world.pair(world.agent_config()).await;
    let mut stream = pair.open(Targets::FLOOD).await;
    let mut buffer = vec![0; 256 * 1024];
    let mut seconds = Vec::new();
    for _ in 0..5 {
        let end = tokio::time::Instant::now() + Duration::from_secs(1);
        let mut read = 0;
        while tokio::time::Instant::now() < end {
            read += stream.read(&mut buffer).await.unwrap();
        }
        seconds.push(read);
    }
    // 256 KiB per round trip of 100 ms are 2.6 MB/s: what a fixed window would give for ever.
    assert!(seconds[4] > 8_000_000, "{seconds:?}");
}

#[tokio::test(start_paused = true)]
async fn comings_and_goings_are_told() {
    let world = World::new(4);
    let id = world.cluster("hz-1", "uid-1");
    let (tunnels, _hub) = world.hub();
    let mut events = tunnels.subscribe();
    let (_, agent) = world.agent(world.agent_config(), world.token_for(&id));
    for connections in [1, 2] {
        match events.recv().await.unwrap() {
            TunnelEvent::Connected { cluster, now } => {
                assert_eq!(&cluster, id.name());
                assert_eq!((now.connections, now.agents), (connections, 1));
            }
            other => panic!("{other:?}"),
        }
    }
    agent.stop().await;
    for connections in [1, 0] {
        match events.recv().await.unwrap() {
            TunnelEvent::Disconnected { now, end, .. } => {
                assert_eq!(now.connections, connections);
                assert_eq!(end, crate::End::Closed);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(tunnels.clusters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_stops_lets_streams_end() {
    let world = World::new(5);
    let pair = world.pair(world.agent_config()).await;
    let mut stream = pair.open(Targets::ECHO).await;
    stream.write_all(b"before").await.unwrap();
    let stopping = tokio::spawn(pair.agent_task.stop());
    tokio::time::sleep(Duration::from_secs(5)).await;
    stream.write_all(b" after").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "before after");
    drop(stream);
    let error = pair
        .tunnels
        .dial_local(
            &pair.cluster,
            &Targets::at(Targets::ECHO),
            Class::Interactive,
        )
        .await
        .unwrap_err();
    assert!(
        matches!(error, DialError::NoAgent(_) | DialError::Lost(_)),
        "{error}"
    );
    stopping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_drains_hands_over_to_another() {
    let mut world = World::new(6);
    let second: HostPort = "hub2:8091".parse().unwrap();
    world.hub_config.name = "one".to_owned();
    let mut config = world.agent_config();
    config.hubs.push(second.clone());
    let id = world.cluster("hz-1", "uid-1");
    let (one, _one) = world.hub();
    let (two, _two) = world.hub_at(&second);
    let (_, _agent) = world.agent(config, world.token_for(&id));
    until("connected to both", || {
        one.status(id.name()).connections == 2 && two.status(id.name()).connections == 2
    })
    .await;
    let mut stream = one
        .dial_local(id.name(), &Targets::at(Targets::ECHO), Class::Interactive)
        .await
        .unwrap();
    let draining = one.clone();
    let drain = tokio::spawn(async move {
        draining
            .drain(Duration::from_secs(1), Duration::from_secs(30))
            .await;
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    stream.write_all(b"still").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"still");
    drop(stream);
    drain.await.unwrap();
    until("the first hub is empty", || {
        one.status(id.name()).connections == 0
    })
    .await;
    assert!(
        one.stats().refused(crate::Refusal::Draining) > 0,
        "a draining hub takes no one in"
    );
    assert_eq!(two.status(id.name()).connections, 2);
}

/// Hands streams to another hub in the same process.
struct Neighbour(Tunnels);

#[async_trait]
impl Peers for Neighbour {
    async fn dial(
        &self,
        cluster: &ClusterName,
        target: &HostPort,
        class: Class,
    ) -> Option<Result<BoxIo, DialError>> {
        if self.0.status(cluster).connections == 0 {
            return None;
        }
        let stream = self.0.dial_local(cluster, target, class).await;
        Some(stream.map(|stream| Box::new(stream) as BoxIo))
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_asked_for_clusters_that_it_holds() {
    let world = World::new(7);
    let pair = world.pair(world.agent_config()).await;
    let other = world.hub_at(&"hub2:8091".parse().unwrap()).0;
    other.set_peers(Arc::new(Neighbour(pair.tunnels.clone())));
    let stream = other
        .dial(
            &pair.cluster,
            &Targets::at(Targets::ECHO),
            Class::Interactive,
        )
        .await
        .unwrap();
    echo_over(stream, 10_000).await;
    assert_eq!(other.stats().forwarded, 1);
    let nobody: ClusterName = "nobody".parse().unwrap();
    let error = other
        .dial(&nobody, &Targets::at(Targets::ECHO), Class::Interactive)
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), "no-agent");
}
