//! The program as it is deployed: a process of its own, real sockets, files, signals. The hub's end runs in the test.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use federation_tunnel::identity::{Authority, MemoryDirectory, MemoryTokens};
use federation_tunnel::{
    Class, ClusterId, DialError, DialRefusal, HostPort, HubConfig, Refusal, Seams, Tunnels,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(20);

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "never: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

struct Hub {
    tunnels: Tunnels,
    address: SocketAddr,
    authority: Arc<Authority>,
    tokens: MemoryTokens,
    cluster: ClusterId,
    stop: CancellationToken,
}

async fn hub() -> Hub {
    let seams = Seams::system();
    let authority = Arc::new(Authority::generate(&seams).unwrap());
    let (directory, tokens) = (MemoryDirectory::default(), MemoryTokens::default());
    let cluster = ClusterId::new("hz-1".parse().unwrap(), "uid-1").unwrap();
    directory.insert(&cluster);
    let tunnels = Tunnels::new(
        HubConfig::default(),
        authority.clone(),
        Arc::new(directory),
        Arc::new(tokens.clone()),
        &seams,
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (serving, stopped) = (tunnels.clone(), stop.clone());
    tokio::spawn(async move { serving.serve(listener, stopped).await });
    Hub {
        tunnels,
        address,
        authority,
        tokens,
        cluster,
        stop,
    }
}

/// A TCP server that sends back what it gets.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = socket.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    address
}

fn agent(hub: &Hub, state: &Path, api_server: SocketAddr, more: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_proxy-agent"))
        .args([
            // As a konnectivity manifest has them.
            "--logtostderr=true".to_owned(),
            format!("--proxy-server-host={}", hub.address.ip()),
            format!("--proxy-server-port={}", hub.address.port()),
            format!("--ca-hash={}", hub.authority.pin()),
            format!("--state-dir={}", state.display()),
            format!("--api-server={api_server}"),
            "--grace-seconds=10".to_owned(),
        ])
        .args(more)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("HTTPS_PROXY")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn terminate(child: &mut Child) {
    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
}

async fn get(port: u16, path: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// Traffic, byte for byte.
async fn traffic(hub: &Hub) {
    let name = hub.cluster.name();
    let pattern: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 253) as u8).collect();
    let stream = hub
        .tunnels
        .dial(name, &HostPort::api_server(), Class::Bulk)
        .await
        .unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    let sent = pattern.clone();
    let sending = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    timeout(LONG, read.read_to_end(&mut back))
        .await
        .unwrap()
        .unwrap();
    sending.await.unwrap();
    assert!(back == pattern);
}

async fn refusals_and_probes(hub: &Hub, api_server: SocketAddr, port: u16, state: &Path) {
    let name = hub.cluster.name();
    // Not on the list.
    let other: HostPort = api_server.to_string().parse().unwrap();
    let refused = hub
        .tunnels
        .dial(name, &other, Class::Bulk)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(
            refused,
            DialError::Refused {
                reason: DialRefusal::NotAllowed,
                ..
            }
        ),
        "{refused}"
    );

    // Probes, metrics, private files.
    assert!(get(port, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(port, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(port, "/metrics").await;
    assert!(
        metrics.contains("koinon_agent_connections 2\n"),
        "{metrics}"
    );
    assert!(metrics.contains("koinon_agent_refused_streams_total{reason=\"not-allowed\"} 1\n"));
    assert!(metrics.contains("koinon_agent_bytes_total{direction=\"to_target\"} 5000000\n"));
    let mode = std::fs::metadata(state.join("identity.pem"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// SIGTERM lets an open stream end.
async fn stop_with_an_open_stream(hub: &Hub, child: &mut Child) {
    let name = hub.cluster.name();
    let mut open = hub
        .tunnels
        .dial(name, &HostPort::api_server(), Class::Interactive)
        .await
        .unwrap();
    open.write_all(b"a").await.unwrap();
    terminate(child).await;
    sleep(Duration::from_millis(500)).await;
    open.write_all(b"b").await.unwrap();
    open.shutdown().await.unwrap();
    let mut all = String::new();
    timeout(LONG, open.read_to_string(&mut all))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(all, "ab");
    drop(open);
    assert!(
        timeout(LONG, child.wait())
            .await
            .unwrap()
            .unwrap()
            .success()
    );
    until("gone", || hub.tunnels.status(name).connections == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_token_to_traffic_and_back_after_restarts() {
    let (hub, api_server, port) = (hub().await, echo_server().await, free_port().await);
    let directory = tempfile::tempdir().unwrap();
    let (state, token) = (
        directory.path().join("state"),
        directory.path().join("token"),
    );
    let issued = hub.tokens.issue(&hub.cluster, LONG * 100, &Seams::system());
    std::fs::write(&token, issued.expose() + "\n").unwrap();
    let probes = [
        "--health-bind-address=127.0.0.1".to_owned(),
        format!("--health-server-port={port}"),
    ];
    let mut first = probes.to_vec();
    first.push(format!("--bootstrap-token-file={}", token.display()));
    let mut child = agent(&hub, &state, api_server, &first);
    let name = hub.cluster.name();
    until("connected", || hub.tunnels.status(name).connections == 2).await;

    traffic(&hub).await;
    refusals_and_probes(&hub, api_server, port, &state).await;
    stop_with_an_open_stream(&hub, &mut child).await;

    // Again, from its state alone.
    let mut child = agent(&hub, &state, api_server, &probes);
    until("back", || hub.tunnels.status(name).connections == 2).await;
    assert_eq!(hub.tunnels.stats().enrolled, 1, "the certificate was kept");
    // The hub goes: the agent says so, and stays.
    hub.stop.cancel();
    let start = Instant::now();
    while !get(port, "/readyz").await.starts_with("HTTP/1.1 503") {
        assert!(start.elapsed() < LONG);
        sleep(Duration::from_millis(50)).await;
    }
    assert!(child.try_wait().unwrap().is_none());
    terminate(&mut child).await;
    assert!(
        timeout(LONG, child.wait())
            .await
            .unwrap()
            .unwrap()
            .success()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_token_is_worth_nothing() {
    let (hub, api_server) = (hub().await, echo_server().await);
    let directory = tempfile::tempdir().unwrap();
    let token = hub
        .tokens
        .issue(&hub.cluster, LONG * 100, &Seams::system())
        .expose();
    let more = |state: &str| {
        let child = agent(
            &hub,
            &directory.path().join(state),
            api_server,
            &[
                format!("--bootstrap-token={token}"),
                "--health-server-port=0".to_owned(),
            ],
        );
        (child, directory.path().join(state))
    };
    let (_honest, _) = more("honest");
    until("connected", || {
        hub.tunnels.status(hub.cluster.name()).connections == 2
    })
    .await;
    let (_thief, state) = more("thief");
    until("refused", || {
        hub.tunnels.stats().refused(Refusal::UsedToken) >= 1
    })
    .await;
    let kept = std::fs::read_to_string(state.join("identity.pem")).unwrap();
    assert!(!kept.contains("CERTIFICATE"));
    assert_eq!(hub.tunnels.status(hub.cluster.name()).agents, 1);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_the_exit_code_tells() {
    let run = async |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_proxy-agent"))
            .args(arguments)
            .output();
        let output = timeout(LONG, output).await.unwrap().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, text) = run(&["--hub=h:1"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--ca-cert"), "{text}");
    let (code, text) = run(&["--hub=nohost"]).await;
    assert_eq!(code, Some(2), "{text}");
}
