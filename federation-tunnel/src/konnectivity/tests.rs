//! Our agent, our hub and our front ends against each other, over pipes.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::seams::{BoxIo, Io};

const PIPE: usize = 64 << 10;

/// What an agent reaches: an echo, a source that never ends, one that is silent, and nothing.
struct Network;

#[async_trait]
impl Dial for Network {
    async fn dial(&self, target: &str) -> Result<BoxIo, DialError> {
        let (near, mut far) = duplex(PIPE);
        match target {
            "echo:7" => drop(tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(far);
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            })),
            "source:19" => drop(tokio::spawn(async move {
                while far.write_all(&[7; 4096]).await.is_ok() {}
            })),
            "silent:9" => std::future::pending().await,
            _ => {
                return Err(DialError::Failed("dial tcp: connection refused".to_owned()));
            }
        }
        Ok(Box::new(near))
    }
}

/// Hubs that stand behind one address; each connection goes to the next one.
struct Hubs {
    hubs: Vec<Agents>,
    admission: Admission,
    next: Mutex<usize>,
    cut: Mutex<HashMap<usize, tokio::task::JoinHandle<()>>>,
}

#[async_trait]
impl Servers for Hubs {
    async fn connect(&self) -> io::Result<BoxIo> {
        let place = {
            let mut next = self.next.lock().unwrap();
            *next += 1;
            *next - 1
        };
        let hub = self.hubs[place % self.hubs.len()].clone();
        let (near, far) = duplex(PIPE);
        let admission = self.admission.clone();
        let task = tokio::spawn(async move {
            let _ = hub.serve(far, admission).await;
        });
        self.cut.lock().unwrap().insert(place, task);
        Ok(Box::new(near))
    }
}

struct Running {
    hubs: Arc<Hubs>,
    state: watch::Receiver<AgentState>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(hubs: Vec<AgentsConfig>, clusters: &[&str], identifiers: &str) -> Self {
        let names = clusters.iter().map(|name| (*name).to_owned()).collect();
        let hubs = Arc::new(Hubs {
            hubs: hubs.into_iter().map(Agents::new).collect(),
            admission: Admission::Clusters(names),
            next: Mutex::new(0),
            cut: Mutex::default(),
        });
        let mut config = AgentConfig::new("agent-1", "hub");
        config.identifiers = identifiers.parse().unwrap();
        config.timing.drain = Duration::from_secs(1);
        let (send, state) = watch::channel(AgentState::default());
        let stop = CancellationToken::new();
        let servers = Arc::clone(&hubs) as Arc<dyn Servers>;
        let unit = || 0.01;
        let agent = run_agent(config, servers, Arc::new(Network), unit, send, stop.clone());
        let task = tokio::spawn(agent);
        Self {
            hubs,
            state,
            stop,
            task,
        }
    }

    async fn connected(&mut self, wanted: usize) {
        let reached = self.state.wait_for(|state| state.connected == wanted);
        let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
        reached.expect("in time").expect("the agent runs");
    }

    fn hub(&self) -> &Agents {
        &self.hubs.hubs[0]
    }
}

fn small() -> AgentsConfig {
    let mut config = AgentsConfig::new("hub-1");
    config.limits.inbound = 1 << 20;
    config.limits.hold = Some(Duration::from_millis(300));
    config.dial_timeout = Duration::from_millis(500);
    config
}

/// What a connection says and hears: everything comes back.
async fn echo(connection: &mut (impl Io + ?Sized), bytes: usize) {
    let sent: Vec<u8> = (0..bytes)
        .map(|n| (n as u32).wrapping_mul(2_654_435_761) as u8)
        .collect();
    let (mut read, mut write) = tokio::io::split(connection);
    let mut heard = vec![0; bytes];
    let (wrote, got) = tokio::join!(write.write_all(&sent), read.read_exact(&mut heard));
    wrote.unwrap();
    got.unwrap();
    assert!(sent == heard, "the bytes differ");
}

#[tokio::test(start_paused = true)]
async fn connections_go_through_and_errors_come_back() {
    let mut running = Running::start(vec![small()], &["a", "b"], "").await;
    running.connected(1).await;
    let hub = running.hub();
    assert!(hub.serves("a") && hub.serves("b") && !hub.serves("c"));
    let mut connection = hub.dial_cluster("b", "echo:7").await.unwrap();
    echo(&mut connection, 3 << 20).await;
    connection.shutdown().await.unwrap();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    let error = |target| async move {
        let outcome = hub.dial_cluster("a", target).await;
        outcome.map(|_| ()).unwrap_err().text()
    };
    assert_eq!(error("nobody:1").await, "dial tcp: connection refused");
    assert_eq!(error("silent:9").await, "timeout: no answer within 500ms");
    let foreign = hub.dial_cluster("c", "echo:7").await.map(|_| ());
    assert!(matches!(foreign, Err(DialError::NoAgent(_))));
    let by_host = hub.dial_host(&[Strategy::Default], "echo:7").await;
    assert!(matches!(by_host.map(|_| ()), Err(DialError::NoAgent(_))));
    drop(connection);
    let counters = hub.counters();
    assert_eq!((counters.agents, counters.dialed), (1, 1));
    assert_eq!((counters.failed, counters.no_agent), (2, 2));
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn many_connections_at_once_are_apart() {
    let mut running = Running::start(vec![small()], &["a"], "host=a").await;
    running.connected(1).await;
    let all = (0..64).map(|n| {
        let hub = running.hub().clone();
        async move {
            let mut connection = hub.dial_cluster("a", "echo:7").await.unwrap();
            echo(&mut connection, 10_000 + n * 1_001).await;
        }
    });
    futures::future::join_all(all).await;
    tokio::time::timeout(Duration::from_secs(5), async {
        while running.hub().counters().connections > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("nothing is left of them");
}

#[tokio::test]
async fn a_stalled_reader_is_cut_off_and_others_go_on() {
    let mut running = Running::start(vec![small()], &["a"], "").await;
    running.connected(1).await;
    let hub = running.hub();
    let mut stalled = hub.dial_cluster("a", "source:19").await.unwrap();
    let mut other = hub.dial_cluster("a", "echo:7").await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), echo(&mut other, 4 << 20))
        .await
        .expect("the other connection goes on");
    let mut nothing = [0; 1];
    let error = stalled.read_exact(&mut nothing).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    assert!(error.to_string().contains("bytes behind"), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_ended_ends_all_on_it_and_the_agent_comes_back() {
    let mut running = Running::start(vec![small()], &["a"], "").await;
    running.connected(1).await;
    let mut one = running.hub().dial_cluster("a", "echo:7").await.unwrap();
    echo(&mut one, 1_000).await;
    let first = running.hubs.cut.lock().unwrap().remove(&0).unwrap();
    first.abort();
    let error = one.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(error.to_string().starts_with("the tunnel ended"), "{error}");
    running.connected(0).await;
    running.connected(1).await;
    let mut again = running.hub().dial_cluster("a", "echo:7").await.unwrap();
    echo(&mut again, 1_000).await;
}

#[tokio::test]
async fn all_servers_are_found_and_each_once() {
    let configs = ["x", "y", "z"].map(|id| {
        let mut config = AgentsConfig::new(id);
        config.server_count = 3;
        config
    });
    let mut running = Running::start(configs.to_vec(), &["a"], "").await;
    running.connected(3).await;
    for hub in &running.hubs.hubs {
        assert_eq!(hub.counters().agents, 1);
    }
}

#[tokio::test]
async fn another_clusters_name_is_refused() {
    let running = Running::start(vec![small()], &["a"], "host=b").await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while running.hub().counters().refused == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("a refusal");
    assert_eq!(running.hub().counters().agents, 0);
    assert_eq!(running.state.borrow().connected, 0);
}

async fn connect_front(hub: &Agents, request: &str) -> (DuplexStream, String) {
    let (mut client, server) = duplex(PIPE);
    let dial = ToNamedCluster {
        suffix: ".cluster.fed".to_owned(),
        tunnels: Arc::new(hub.clone()),
    };
    tokio::spawn(serve_connect(server, Arc::new(dial)));
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    (client, String::from_utf8(head).unwrap())
}

#[tokio::test]
async fn http_connect_reaches_a_named_cluster() {
    let mut running = Running::start(vec![small()], &["a"], "").await;
    running.connected(1).await;
    let hub = running.hub();
    let request = |target: &str| format!("CONNECT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let (mut client, head) = connect_front(hub, &request("echo.a.cluster.fed:7")).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"));
    echo(&mut client, 1 << 20).await;
    for (request, status) in [
        (request("echo.b.cluster.fed:7"), "503"),
        (request("nobody.a.cluster.fed:1"), "502"),
        (request("silent.a.cluster.fed:9"), "504"),
        (request("a..cluster.fed:9"), "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405"),
    ] {
        let (mut client, head) = connect_front(hub, &request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.len() > 5, "a reason");
    }
}
