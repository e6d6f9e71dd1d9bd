//! Upstream's kube-apiserver reaches kubelets through our hub and upstream's agent, as its egress selector asks.

use federation_tests::contexts::Contexts;
use federation_tests::eventually;
use federation_tests::upstream::{ControlPlane, Options, StubKubelet};
use serde_json::json;
use tokio::task::block_in_place;

use crate::hub::{Hub, Mode, hub};
use crate::traffic::{MIB, noise};

/// The egress selector's file: everything towards the cluster goes through the hub's socket.
fn egress(hub: &Hub, mode: Mode, kubelet: &StubKubelet) -> Options {
    let file = hub.keys.path("egress.yaml");
    let protocol = match mode {
        Mode::Connect => "HTTPConnect",
        Mode::Grpc => "GRPC",
    };
    let config = json!({
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": {
            "proxyProtocol": protocol,
            "transport": {"uds": {"udsName": hub.socket("logs")}},
        }}],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    let mut extra_apiserver_args = kubelet.apiserver_args();
    extra_apiserver_args.push(format!("--egress-selector-config-file={}", file.display()));
    Options {
        extra_apiserver_args,
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kube_apiserver_reads_logs_and_runs_commands_through_both_fronts() {
    let (Some(connect), Some(grpc)) = (hub(Mode::Connect), hub(Mode::Grpc)) else {
        return;
    };
    let (Some(one), Some(two)) = (StubKubelet::prepare(), StubKubelet::prepare()) else {
        return;
    };
    let options = [
        egress(connect, Mode::Connect, &one),
        egress(grpc, Mode::Grpc, &two),
    ];
    let Some(planes) = block_in_place(|| ControlPlane::start_several(&options)) else {
        return;
    };
    block_in_place(|| {
        for ((plane, mut kubelet), hub) in planes.iter().zip([one, two]).zip([connect, grpc]) {
            streams(plane, &mut kubelet, hub);
        }
    });
}

fn streams(plane: &ControlPlane, kubelet: &mut StubKubelet, hub: &Hub) {
    let kubectl = plane.kubectl();
    kubelet.join("n1", &kubectl);
    StubKubelet::run_pod("n1", &kubectl, "web");
    let complaint = kubectl.complaint(&["logs", "web"]);
    let why = "no agent of cluster logs is connected";
    assert!(
        complaint.contains(why) || complaint.contains("proxy error"),
        "{complaint}"
    );
    let _agent = hub.join("logs").start(&[]);
    hub.has_agents("logs", 1);
    eventually("logs", || kubectl.attempt(&["logs", "web"]));
    let contexts = Contexts::new(kubectl.program(), kubectl.kubeconfig(), plane.directory());
    let context = kubectl.output(&["config", "current-context"]);
    let context = context.trim();
    contexts.watches_and_logs_stream(context);
    contexts.commands_run(context, "true");
    let bytes = noise(7, 16 * MIB);
    let echo = contexts.output(context, &["exec", "-i", "web", "--", "cat"], &bytes);
    assert!(echo.status.success());
    let back = echo.stdout.len();
    assert!(
        echo.stdout == bytes,
        "{back} of {} bytes came back",
        bytes.len()
    );
    assert!(kubelet.log().contains("exec [\"cat\"]"));
}
