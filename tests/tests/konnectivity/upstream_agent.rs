//! Upstream's agent connects to our hub.

use std::time::{Duration, Instant};

use federation_tests::upstream::free_port;
use tokio::io::AsyncReadExt;
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::clients::{connect, connect_tls, http_target, intrude};
use crate::hub::{Mode, PATIENCE, hub};
use crate::programs::{Front, find, run_client};
use crate::traffic::{MIB, Target, ask_and_stall, exchange};

#[tokio::test(flavor = "multi_thread")]
async fn bytes_arrive_both_ways_in_bulk_and_in_parallel() {
    let Some(hub) = hub(Mode::Connect) else {
        return;
    };
    let socket = hub.socket("bulk");
    let _agent = hub.join("bulk").start(&[]);
    hub.has_agents("bulk", 1);
    let target = Target::start().await;
    let start = Instant::now();
    let mut client = connect(&socket, &target.name()).await.unwrap();
    exchange(&mut client, 42, 64 * MIB, 64 * MIB).await.unwrap();
    println!("64 MiB both ways in {:.1?}", start.elapsed());
    let many = (0..100_u64).map(|n| {
        let (socket, name) = (socket.clone(), target.name());
        tokio::spawn(async move {
            let mut client = connect(&socket, &name).await.unwrap();
            exchange(&mut client, n * 7 + 1, n * 3_001, 200_000 - n * 777).await
        })
    });
    for outcome in futures::future::join_all(many).await {
        outcome.unwrap().unwrap();
    }
    let refused = connect(&socket, "127.0.0.1:1").await.unwrap_err();
    assert!(refused.starts_with("HTTP/1.1 502"), "{refused}");
    assert!(refused.contains("connection refused"), "{refused}");

    // Where the target names its cluster: the TCP port, for whoever has a certificate, and a socket.
    let there = format!("127.0.0.1.bulk.cluster.fed:{}", target.address.port());
    let client = connect_tls(hub, true, &there).await.unwrap();
    exchange(&mut client.unwrap(), 43, 16 * MIB, 16 * MIB)
        .await
        .unwrap();
    let mut client = connect(&hub.socket("any"), &there).await.unwrap();
    exchange(&mut client, 44, MIB, MIB).await.unwrap();
    assert!(connect_tls(hub, false, &there).await.is_err());
    let nowhere = "127.0.0.1.nowhere.cluster.fed:1";
    let nobody = connect(&hub.socket("any"), nowhere).await.unwrap_err();
    assert!(nobody.starts_with("HTTP/1.1 503"), "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_costs_others_a_moment_only() {
    let Some(hub) = hub(Mode::Connect) else {
        return;
    };
    let socket = hub.socket("stalled");
    let _agent = hub.join("stalled").start(&[]);
    hub.has_agents("stalled", 1);
    let target = Target::start().await;
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut client = connect(&socket, &target.name()).await.unwrap();
        ask_and_stall(&mut client).await.unwrap();
        stalled.push(client);
    }
    let mut other = connect(&socket, &target.name()).await.unwrap();
    timeout(PATIENCE, exchange(&mut other, 3, 16 * MIB, 16 * MIB))
        .await
        .expect("others go on")
        .unwrap();
    for mut client in stalled {
        // It was to be without end.
        let mut rest = Vec::new();
        let cut = timeout(PATIENCE, client.read_to_end(&mut rest)).await;
        cut.expect("it is cut off").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_ends_its_connections_with_an_error_and_the_next_one_serves() {
    let Some(hub) = hub(Mode::Connect) else {
        return;
    };
    let (socket, joined) = (hub.socket("killed"), hub.join("killed"));
    let mut agent = joined.start(&[]);
    hub.has_agents("killed", 1);
    let target = Target::start().await;
    let mut client = connect(&socket, &target.name()).await.unwrap();
    let transfer = tokio::spawn(async move { exchange(&mut client, 5, 1 << 40, 1 << 40).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!transfer.is_finished());
    block_in_place(|| agent.kill_9());
    let ended = timeout(PATIENCE, transfer).await.expect("noticed");
    assert!(ended.unwrap().is_err());
    hub.has_agents("killed", 0);
    let nobody = connect(&socket, &target.name()).await.unwrap_err();
    assert!(nobody.starts_with("HTTP/1.1 503"), "{nobody}");
    let why = "no agent of cluster killed is connected";
    assert!(nobody.contains(why), "{nobody}");
    let _again = joined.start(&[]);
    hub.has_agents("killed", 1);
    let mut client = connect(&socket, &target.name()).await.unwrap();
    exchange(&mut client, 6, MIB, MIB).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_what_it_says_is_refused_and_counted() {
    let Some(hub) = hub(Mode::Connect) else {
        return;
    };
    let joined = hub.join("foreign");
    // Another cluster's name.
    let greedy = joined.start(&["--agent-identifiers=host=bulk".to_owned()]);
    hub.has_refused("foreign-cluster");
    assert_eq!(hub.agents("foreign"), 0);
    drop(greedy);
    // A certificate of another authority, which upstream's agent does not show to this one.
    let stranger = joined.start(&[
        hub.keys.flag("agent-cert", "agent.crt"),
        hub.keys.flag("agent-key", "agent.key"),
    ]);
    hub.has_refused("no-certificate");
    assert_eq!(hub.agents("foreign"), 0);
    drop(stranger);
    assert!(intrude(hub, &joined.authority()).await.is_err());
    hub.has_refused("untrusted-certificate");
    // A cluster that is gone, under one's own certificate.
    let agent = joined.start(&[]);
    hub.has_agents("foreign", 1);
    let delete = ["delete", "kubefedcluster", "foreign"];
    block_in_place(|| hub.kubectl().run(&delete));
    hub.has_agents("foreign", 0);
    hub.has_refused("unknown-cluster");
    drop(agent);
}

/// All of it upstream's except the hub between them: agent, both kinds of client.
#[tokio::test(flavor = "multi_thread")]
async fn upstreams_clients_reach_what_upstreams_agent_reaches() {
    let Some(client) = find("konnectivity-test-client") else {
        return;
    };
    let port = free_port();
    let target = http_target(port).await;
    for mode in Mode::BOTH {
        let Some(hub) = hub(mode) else {
            return;
        };
        let _agent = hub.join("clients").start(&[]);
        hub.has_agents("clients", 1);
        let socket = Front::Unix(&hub.socket("clients"));
        let tls = Front::Tls(&hub.keys, hub.port);
        block_in_place(|| {
            run_client(&client, &socket, mode.flag(), &format!("127.0.0.1:{port}"));
            let there = format!("127.0.0.1.clients.cluster.fed:{port}");
            run_client(&client, &tls, mode.flag(), &there);
        });
    }
    target.abort();
}
