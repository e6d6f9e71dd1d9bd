//! Our agent connects to upstream's server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use federation_tests::upstream::free_port;
use federation_tunnel::BoxIo;
use federation_tunnel::konnectivity::{
    AgentConfig, AgentState, Allowed, Servers, TcpDial, TlsServers, run_agent,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clients::{connect, http_target};
use crate::hub::PATIENCE;
use crate::programs::{Front, Keys, Server, find, run_client, start_our_agent, start_server};
use crate::traffic::{MIB, Target, ask_and_stall, exchange};

/// What a load balancer does: each connection goes to the next server.
struct InTurns {
    servers: Vec<TlsServers>,
    next: AtomicUsize,
}

#[async_trait]
impl Servers for InTurns {
    async fn connect(&self) -> io::Result<BoxIo> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.servers[next % self.servers.len()].connect().await
    }
}

struct Agent {
    state: watch::Receiver<AgentState>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Agent {
    fn start(keys: &Keys, servers: &[&Server]) -> Self {
        let servers = servers.iter().map(|server| {
            TlsServers::new("127.0.0.1", server.agent_port, keys.client_tls(true)).unwrap()
        });
        let servers = Arc::new(InTurns {
            servers: servers.collect(),
            next: AtomicUsize::new(0),
        });
        let dial = Arc::new(TcpDial {
            allowed: Allowed::Everything,
        });
        let mut config = AgentConfig::new("agent-of-ours", "127.0.0.1");
        config.identifiers = "host=member&default-route=true".parse().unwrap();
        config.limits.hold = Some(Duration::from_millis(500));
        let (send, state) = watch::channel(AgentState::default());
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_agent(config, servers, dial, || 0.2, send, stop.clone()));
        Self { state, stop, task }
    }

    async fn connected(&mut self, count: usize) {
        let reached = self.state.wait_for(|state| state.connected == count);
        timeout(PATIENCE, reached).await.expect("in time").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_server_reaches_targets_through_it() {
    let Some(program) = find("konnectivity-server") else {
        return;
    };
    let keys = Keys::new();
    let server = start_server(&program, &keys, "http-connect", "one", 1);
    let mut agent = Agent::start(&keys, &[&server]);
    agent.connected(1).await;
    let target = Target::start().await;
    let start = Instant::now();
    let mut client = connect(&server.socket, &target.name()).await.unwrap();
    exchange(&mut client, 11, 64 * MIB, 64 * MIB).await.unwrap();
    println!("64 MiB both ways in {:.1?}", start.elapsed());
    let many = (0..100_u64).map(|n| {
        let (socket, name) = (server.socket.clone(), target.name());
        tokio::spawn(async move {
            let mut client = connect(&socket, &name).await.unwrap();
            exchange(&mut client, n * 5 + 3, 100_000 + n, n * 2_003).await
        })
    });
    for outcome in futures::future::join_all(many).await {
        outcome.unwrap().unwrap();
    }
    let refused = connect(&server.socket, "127.0.0.1:1").await.unwrap_err();
    assert!(refused.contains("refused"), "{refused}");
    agent.stop.cancel();
    timeout(PATIENCE, agent.task)
        .await
        .expect("it drains")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_finds_all_servers_and_comes_back_to_one_that_was_restarted() {
    let Some(program) = find("konnectivity-server") else {
        return;
    };
    let keys = Keys::new();
    let mut one = start_server(&program, &keys, "http-connect", "one", 2);
    let two = start_server(&program, &keys, "http-connect", "two", 2);
    let mut agent = Agent::start(&keys, &[&one, &two]);
    agent.connected(2).await;
    let target = Target::start().await;
    for server in [&one, &two] {
        let mut client = connect(&server.socket, &target.name()).await.unwrap();
        exchange(&mut client, 1, MIB, MIB).await.unwrap();
    }
    tokio::task::block_in_place(|| one.process.kill_9().unwrap());
    agent.connected(1).await;
    let mut client = connect(&two.socket, &target.name()).await.unwrap();
    exchange(&mut client, 2, MIB, MIB).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_read_is_cut_off_and_others_go_on() {
    let Some(program) = find("konnectivity-server") else {
        return;
    };
    let keys = Keys::new();
    let server = start_server(&program, &keys, "http-connect", "one", 1);
    let mut agent = Agent::start(&keys, &[&server]);
    agent.connected(1).await;
    // Accepts and never reads.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deaf_name = deaf.local_addr().unwrap().to_string();
    let mut client = connect(&server.socket, &deaf_name).await.unwrap();
    let pour = tokio::spawn(async move {
        ask_and_stall(&mut client).await?;
        crate::traffic::send(&mut client, 1, 1 << 40).await
    });
    let target = Target::start().await;
    let mut other = connect(&server.socket, &target.name()).await.unwrap();
    timeout(PATIENCE, exchange(&mut other, 4, 16 * MIB, 16 * MIB))
        .await
        .expect("others go on")
        .unwrap();
    let cut = timeout(PATIENCE, pour).await.expect("it is cut off");
    assert!(cut.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_grpc_clients_reach_targets_through_it() {
    let (Some(program), Some(client)) = (
        find("konnectivity-server"),
        find("konnectivity-test-client"),
    ) else {
        return;
    };
    let keys = Keys::new();
    let server = start_server(&program, &keys, "grpc", "one", 1);
    let mut agent = Agent::start(&keys, &[&server]);
    agent.connected(1).await;
    let port = free_port();
    let target = http_target(port).await;
    let front = Front::Unix(&server.socket);
    let there = format!("127.0.0.1:{port}");
    tokio::task::block_in_place(|| run_client(&client, &front, "grpc", &there));
    target.abort();
}

/// The program, with upstream's flags.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_upstreams_server_and_only_what_its_list_allows() {
    let Some(program) = find("konnectivity-server") else {
        return;
    };
    let Some(agent) = federation_tests::our_program("proxy-agent") else {
        return federation_tests::skip("proxy-agent is not built: cargo build --workspace");
    };
    let keys = Keys::new();
    let server = start_server(&program, &keys, "http-connect", "one", 1);
    let target = Target::start().await;
    let _agent = start_our_agent(&agent, &keys, server.agent_port, &target.name());
    let reached = async {
        loop {
            if server.socket.exists()
                && let Ok(client) = connect(&server.socket, "kubernetes.default.svc:443").await
            {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let mut client = timeout(PATIENCE, reached).await.expect("it connects");
    exchange(&mut client, 9, 4 * MIB, 4 * MIB).await.unwrap();
    let refused = connect(&server.socket, &target.name()).await.unwrap_err();
    assert!(refused.contains("not an allowed target"), "{refused}");
}
