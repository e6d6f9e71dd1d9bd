//! Upstream's agent connects to our hub.

use std::sync::Arc;
use std::time::{Duration, Instant};

use federation_tests::upstream::free_port;
use federation_tunnel::konnectivity::{
    Admission, Front, Strategy, ToAgents, bind_unix, serve_unix,
};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::hub::{CLUSTER, Hub, PATIENCE, http_target, until};
use crate::programs::{Keys, find, run_client, start_agent};
use crate::traffic::{MIB, Target, ask_and_stall, exchange};

#[tokio::test(flavor = "multi_thread")]
async fn bytes_arrive_both_ways_in_bulk_and_in_parallel() {
    let Some(program) = find("konnectivity-agent") else {
        return;
    };
    let keys = Keys::new();
    let hub = Hub::of_cluster(&keys).await;
    let _agent = start_agent(&program, &keys, hub.port, "host=member");
    hub.has_agents(1).await;
    let target = Target::start().await;
    let start = Instant::now();
    let mut connection = hub
        .agents
        .dial_cluster(CLUSTER, &target.name())
        .await
        .unwrap();
    exchange(&mut connection, 42, 64 * MIB, 64 * MIB)
        .await
        .unwrap();
    println!("64 MiB both ways in {:.1?}", start.elapsed());
    let many = (0..100_u64).map(|n| {
        let (agents, name) = (hub.agents.clone(), target.name());
        tokio::spawn(async move {
            let mut connection = agents.dial_cluster(CLUSTER, &name).await.unwrap();
            exchange(&mut connection, n * 7 + 1, n * 3_001, 200_000 - n * 777).await
        })
    });
    for outcome in futures::future::join_all(many).await {
        outcome.unwrap().unwrap();
    }
    let refused = hub.agents.dial_cluster(CLUSTER, "127.0.0.1:1").await;
    let refused = refused.map(|_| ()).unwrap_err().text();
    assert!(refused.contains("connection refused"), "{refused}");
    drop(connection);
    until("nothing is left open", || {
        hub.agents.counters().connections == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_costs_others_a_moment_only() {
    let Some(program) = find("konnectivity-agent") else {
        return;
    };
    let keys = Keys::new();
    let hub = Hub::of_cluster(&keys).await;
    let _agent = start_agent(&program, &keys, hub.port, "");
    hub.has_agents(1).await;
    let target = Target::start().await;
    let name = target.name();
    let dial = || hub.agents.dial_cluster(CLUSTER, &name);
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut connection = dial().await.unwrap();
        ask_and_stall(&mut connection).await.unwrap();
        stalled.push(connection);
    }
    let mut other = dial().await.unwrap();
    timeout(PATIENCE, exchange(&mut other, 3, 16 * MIB, 16 * MIB))
        .await
        .expect("others go on")
        .unwrap();
    for mut connection in stalled {
        let mut rest = Vec::new();
        let error = connection.read_to_end(&mut rest).await.unwrap_err();
        assert!(error.to_string().contains("bytes behind"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_ends_its_connections_with_an_error_and_the_next_one_serves() {
    let Some(program) = find("konnectivity-agent") else {
        return;
    };
    let keys = Keys::new();
    let hub = Hub::of_cluster(&keys).await;
    let mut agent = start_agent(&program, &keys, hub.port, "");
    hub.has_agents(1).await;
    let target = Target::start().await;
    let name = target.name();
    let mut connection = hub.agents.dial_cluster(CLUSTER, &name).await.unwrap();
    let transfer =
        tokio::spawn(async move { exchange(&mut connection, 5, 1 << 40, 1 << 40).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!transfer.is_finished());
    tokio::task::block_in_place(|| agent.kill_9().unwrap());
    let error = timeout(PATIENCE, transfer)
        .await
        .expect("noticed")
        .unwrap()
        .unwrap_err();
    assert!(error.to_string().contains("the tunnel ended"), "{error}");
    hub.has_agents(0).await;
    let error = hub.agents.dial_cluster(CLUSTER, &name).await.map(|_| ());
    let error = error.unwrap_err().text();
    assert!(error.contains("no agent serves the cluster"), "{error}");
    let _again = start_agent(&program, &keys, hub.port, "");
    hub.has_agents(1).await;
    let mut connection = hub.agents.dial_cluster(CLUSTER, &name).await.unwrap();
    exchange(&mut connection, 6, MIB, MIB).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_names_another_cluster_is_refused() {
    let Some(program) = find("konnectivity-agent") else {
        return;
    };
    let keys = Keys::new();
    let hub = Hub::of_cluster(&keys).await;
    let _agent = start_agent(&program, &keys, hub.port, "host=another");
    until("it is refused", || hub.agents.counters().refused > 0).await;
    assert_eq!(hub.agents.counters().agents, 0);
    assert!(!hub.agents.serves("another") && !hub.agents.serves(CLUSTER));
}

/// All of it upstream's except the hub between them: agent, both kinds of client.
#[tokio::test(flavor = "multi_thread")]
async fn upstreams_clients_reach_what_upstreams_agent_reaches() {
    let (Some(program), Some(client)) =
        (find("konnectivity-agent"), find("konnectivity-test-client"))
    else {
        return;
    };
    let keys = Keys::new();
    let hub = Hub::start(&keys, Admission::Identifiers).await;
    let identifiers = "cidr=127.0.0.0/8&default-route=true";
    let _agent = start_agent(&program, &keys, hub.port, identifiers);
    hub.has_agents(1).await;
    let port = free_port();
    let target = http_target(port).await;
    let dial = Arc::new(ToAgents {
        strategies: vec![Strategy::DestHost, Strategy::DefaultRoute],
        agents: hub.agents.clone(),
    });
    for (mode, front) in [("http-connect", Front::Connect), ("grpc", Front::Grpc)] {
        let socket = keys.path(&format!("{mode}.sock"));
        let listener = bind_unix(&socket, true).unwrap();
        let serving = tokio::spawn(serve_unix(listener, front, dial.clone()));
        tokio::task::block_in_place(|| run_client(&client, &socket, mode, port));
        serving.abort();
    }
    assert_eq!(hub.agents.counters().dialed, 10);
    target.abort();
}
