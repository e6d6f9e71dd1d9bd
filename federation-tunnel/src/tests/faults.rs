//! Networks and hubs that fail.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::testing::{Targets, World, until};
use crate::{Class, DialError, End, TunnelEvent};

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_noticed_at_both_ends_and_left() {
    let world = World::new(20);
    let pair = world.pair(world.agent_config()).await;
    sleep(Duration::from_secs(3)).await;
    let mut events = pair.tunnels.subscribe();
    let mut stream = pair.open(Targets::ECHO).await;
    world.net.weather(|w| w.black_hole = true);
    let start = Instant::now();
    for _ in 0..2 {
        match events.recv().await.unwrap() {
            TunnelEvent::Disconnected { end, .. } => assert_eq!(end, End::Silent),
            other => panic!("{other:?}"),
        }
    }
    let noticed = start.elapsed();
    assert!(noticed <= Duration::from_secs(20), "{noticed:?}");
    assert!(
        noticed > Duration::from_secs(5),
        "{noticed:?}: a hiccup is no black hole"
    );
    assert!(
        stream.read(&mut [0; 10]).await.is_err(),
        "its streams are broken"
    );
    until("the agent notices", || pair.agent.stats().connections == 0).await;
    assert!(start.elapsed() <= Duration::from_secs(20));
    let error = pair
        .tunnels
        .dial_local(
            &pair.cluster,
            &Targets::at(Targets::ECHO),
            Class::Interactive,
        )
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::NoAgent(_)));
    world.net.weather(|w| w.black_hole = false);
    let back = until("back", || {
        pair.tunnels.status(&pair.cluster).connections == 2
    })
    .await;
    assert!(back <= Duration::from_secs(30), "{back:?}");
    pair.echo(1000).await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_tunnel_and_a_slow_one_stay() {
    let world = World::new(21);
    let pair = world.pair(world.agent_config()).await;
    sleep(Duration::from_secs(600)).await;
    world.net.weather(|w| {
        w.latency = Duration::from_secs(2);
        w.loss = 20;
    });
    sleep(Duration::from_secs(600)).await;
    assert_eq!(
        pair.tunnels.stats().accepted,
        2,
        "no connection was given up"
    );
    pair.echo(10_000).await;
}

#[tokio::test(start_paused = true)]
async fn agents_come_back_to_a_hub_that_was_restarted() {
    let world = World::new(22);
    let mut agents = Vec::new();
    let (tunnels, hub) = world.hub();
    for n in 0..20 {
        let id = world.cluster(&format!("c-{n}"), &format!("uid-{n}"));
        agents.push(world.agent(world.agent_config(), world.token_for(&id)));
    }
    until("all are there", || tunnels.stats().connections == 40).await;
    // Killed: no goodbye.
    drop((hub, tunnels));
    world.net.reset_all();
    world.net.weather(|w| w.refuse = true);
    sleep(Duration::from_secs(120)).await;
    let before = world.net.connects();
    sleep(Duration::from_secs(60)).await;
    let tries = world.net.connects() - before;
    assert!(tries < 20 * 2 * 16, "{tries} tries in a minute are a storm");
    world.net.weather(|w| w.refuse = false);
    let (tunnels, _hub) = world.hub();
    let back = until("all are back", || tunnels.stats().connections == 40).await;
    assert!(back <= Duration::from_secs(30), "{back:?}");
    assert_eq!(tunnels.stats().clusters, 20);
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_is_not_answered_ends_in_time_and_is_cancelled() {
    let world = World::new(23);
    let pair = world.pair(world.agent_config()).await;
    let silent = Targets::at(Targets::SILENT);
    let dial = pair
        .tunnels
        .dial_local(&pair.cluster, &silent, Class::Interactive);
    let start = Instant::now();
    let error = dial.await.unwrap_err();
    assert_eq!(error.code(), "timeout");
    assert!(start.elapsed() <= Duration::from_secs(10));
    // Two hundred callers give up at once: the connection survives it.
    let dials = (0..200).map(|_| {
        let (tunnels, cluster) = (pair.tunnels.clone(), pair.cluster.clone());
        async move {
            let dial = tunnels
                .dial_local(&cluster, &Targets::at(Targets::SILENT), Class::Interactive)
                .await;
            drop(dial);
        }
    });
    let all = futures::future::join_all(dials);
    assert!(timeout(Duration::from_millis(500), all).await.is_err());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(pair.tunnels.stats().accepted, 2);
    assert_eq!(pair.tunnels.status(&pair.cluster).connections, 2);
    pair.echo(1000).await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_replaced_while_the_other_serves() {
    let world = World::new(24);
    let pair = world.pair(world.agent_config()).await;
    for _ in 0..5 {
        world.net.reset_all();
        until("noticed", || {
            pair.agent.stats().connections < 2 && pair.tunnels.status(&pair.cluster).connections < 2
        })
        .await;
        let back = until("back", || pair.agent.stats().connections == 2).await;
        assert!(back < Duration::from_secs(30));
        until("seen", || {
            pair.tunnels.status(&pair.cluster).connections == 2
        })
        .await;
        pair.echo(1000).await;
    }
}

/// One thing that happens to the network.
#[derive(Clone, Debug)]
enum Weathers {
    Latency(u64),
    Loss(u8),
    Reset,
    BlackHole(u64),
    Refuse(u64),
    Calm(u64),
}

fn weathers() -> impl Strategy<Value = Weathers> {
    prop_oneof![
        (0..300_u64).prop_map(Weathers::Latency),
        (0..10_u8).prop_map(Weathers::Loss),
        Just(Weathers::Reset),
        (1..30_u64).prop_map(Weathers::BlackHole),
        (1..30_u64).prop_map(Weathers::Refuse),
        (1..20_u64).prop_map(Weathers::Calm),
    ]
}

/// Echoes blocks until something breaks; what comes back is always a prefix of what was sent.
async fn client(pair: std::sync::Arc<crate::testing::Pair>, seed: u8) {
    loop {
        let stream = pair
            .tunnels
            .dial_local(&pair.cluster, &Targets::at(Targets::ECHO), Class::Bulk)
            .await;
        let Ok(mut stream) = stream else {
            sleep(Duration::from_millis(500)).await;
            continue;
        };
        let mut buffer = vec![0; 5000];
        for round in 0_u8..50 {
            // Virtual time goes on only while everybody waits.
            sleep(Duration::from_millis(50)).await;
            let block = vec![seed ^ round; 5000];
            let exchange = async {
                stream.write_all(&block).await?;
                stream.read_exact(&mut buffer).await
            };
            match timeout(Duration::from_secs(40), exchange).await {
                Ok(Ok(_)) => assert!(buffer == block, "bytes of another stream or time"),
                Ok(Err(_)) => break,
                Err(_) => panic!("a stream hangs that should have broken"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Whatever the network does: streams carry their own bytes in order or break; none hangs; afterwards everything is up again, and nothing is
    /// left behind at either end.
    #[test]
    fn any_weather_passes(story in proptest::collection::vec(weathers(), 1..12), seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new(seed.into());
            let pair = std::sync::Arc::new(world.pair(world.agent_config()).await);
            let clients: Vec<_> = (0..4_u8).map(|n| tokio::spawn(client(pair.clone(), n << 5))).collect();
            for weather in story {
                match weather {
                    Weathers::Latency(ms) => world.net.weather(|w| w.latency = Duration::from_millis(ms)),
                    Weathers::Loss(percent) => world.net.weather(|w| w.loss = percent),
                    Weathers::Reset => world.net.reset_all(),
                    Weathers::BlackHole(s) => {
                        world.net.weather(|w| w.black_hole = true);
                        sleep(Duration::from_secs(s)).await;
                        world.net.weather(|w| w.black_hole = false);
                    }
                    Weathers::Refuse(s) => {
                        world.net.weather(|w| w.refuse = true);
                        world.net.reset_all();
                        sleep(Duration::from_secs(s)).await;
                        world.net.weather(|w| w.refuse = false);
                    }
                    Weathers::Calm(s) => sleep(Duration::from_secs(s)).await,
                }
                sleep(Duration::from_millis(300)).await;
            }
            world.net.weather(|w| *w = crate::testing::Weather::default());
            until("up again", || pair.tunnels.status(&pair.cluster).connections >= 2 && pair.agent.stats().connections == 2).await;
            for client in &clients {
                assert!(!client.is_finished(), "a client failed");
                client.abort();
            }
            until("nothing is left", || {
                let stats = pair.tunnels.stats();
                stats.streams == 0 && stats.buffered_bytes == 0 && stats.connections == 2 && pair.agent.stats().streams == 0
            }).await;
            pair.echo(20_000).await;
        });
    }
}
