//! Upstream's kube-apiserver reaches kubelets through our hub and upstream's agent, as its egress selector asks.

use std::net::SocketAddr;
use std::sync::Arc;

use federation_tests::eventually;
use federation_tests::upstream::{ControlPlane, Options};
use federation_tunnel::konnectivity::{Front, ToCluster, bind_unix, serve_tls, serve_unix};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, block_in_place};

use crate::hub::{CLUSTER, Hub, acceptor, plain_acceptor};
use crate::programs::{Keys, find, start_agent};

/// Lines of the log: some megabytes, so that it takes many packets.
const LINES: usize = 100_000;

fn log_text() -> String {
    (0..LINES)
        .map(|n| format!("line {n} of what the container said\n"))
        .collect()
}

/// A kubelet that knows logs only.
async fn kubelet(keys: &Keys) -> (SocketAddr, JoinHandle<()>) {
    let acceptor = plain_acceptor(keys);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut tls = acceptor.accept(socket).await.ok()?;
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(tls.read_u8().await.ok()?);
                }
                let logs = head.starts_with(b"GET /containerLogs/default/web/web");
                let status = if logs { "200 OK" } else { "404 Not Found" };
                let body = if logs { log_text() } else { String::new() };
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                tls.write_all(answer.as_bytes()).await.ok()?;
                tls.shutdown().await.ok()
            });
        }
    });
    (address, task)
}

/// The egress selector's file: everything towards the cluster goes through this connection.
fn egress(keys: &Keys, name: &str, connection: &serde_json::Value) -> Options {
    let file = keys.path(&format!("{name}.egress.yaml"));
    let config = json!({
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    Options {
        extra_apiserver_args: vec![format!("--egress-selector-config-file={}", file.display())],
        ..Options::default()
    }
}

/// A Pod on a Node whose kubelet is at an address.
fn run_pod(plane: &ControlPlane, kubelet: SocketAddr) {
    let kubectl = plane.kubectl();
    let status = json!({
        "addresses": [{"type": "InternalIP", "address": kubelet.ip().to_string()}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port()}},
    });
    kubectl.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}));
    let patch = json!({ "status": status }).to_string();
    kubectl.run(&[
        "patch",
        "node",
        "node-1",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ]);
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "web", "image": "web"}]},
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_apiserver_reads_logs_through_both_fronts() {
    let Some(program) = find("konnectivity-agent") else {
        return;
    };
    let keys = Keys::new();
    let hub = Hub::of_cluster(&keys).await;
    let dial = Arc::new(ToCluster {
        cluster: CLUSTER.to_owned(),
        tunnels: Arc::new(hub.agents.clone()),
    });
    let socket = keys.path("grpc.sock");
    let unix = bind_unix(&socket, true).unwrap();
    let grpc = tokio::spawn(serve_unix(unix, Front::Grpc, dial.clone()));
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let connect = tokio::spawn(serve_tls(tcp, acceptor(&keys), Front::Connect, dial));
    let options = [
        egress(
            &keys,
            "grpc",
            &json!({
                "proxyProtocol": "GRPC",
                "transport": {"uds": {"udsName": socket}},
            }),
        ),
        egress(
            &keys,
            "connect",
            &json!({
                "proxyProtocol": "HTTPConnect",
                "transport": {"tcp": {
                    "url": format!("https://127.0.0.1:{port}"),
                    "tlsConfig": {
                        "caBundle": keys.path("ca.crt"),
                        "clientCert": keys.path("agent.crt"),
                        "clientKey": keys.path("agent.key"),
                    },
                }},
            }),
        ),
    ];
    let Some(planes) = block_in_place(|| ControlPlane::start_several(&options)) else {
        return;
    };
    let (kubelet, serving) = kubelet(&keys).await;
    block_in_place(|| {
        for plane in &planes {
            run_pod(plane, kubelet);
            let complaint = plane.kubectl().complaint(&["logs", "web"]);
            let why = "no agent serves the cluster";
            assert!(
                complaint.contains(why) || complaint.contains("proxy error"),
                "{complaint}"
            );
        }
    });
    assert_eq!(hub.agents.counters().dialed, 0);
    let _agent = start_agent(&program, &keys, hub.port, "host=member");
    hub.has_agents(1).await;
    block_in_place(|| {
        for (place, plane) in planes.iter().enumerate() {
            let log = eventually("the log", || plane.kubectl().attempt(&["logs", "web"]));
            assert!(
                log.trim_end() == log_text().trim_end(),
                "{} bytes",
                log.len()
            );
            let dialed = hub.agents.counters().dialed;
            assert!(dialed > place as u64, "it came through the tunnel");
        }
    });
    for task in [grpc, connect, serving] {
        task.abort();
    }
}
