//! Members against small API servers in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::access::{Credentials, MemberAccess};
use super::connect::{Connector, MemberConnectError};
use super::health::Thresholds;
use super::*;
use crate::clients::{Fence, GuardLayer};
use crate::metrics::Metrics;
use crate::testing::{FakeCluster, Mood};
use crate::work::{Env, OwnedTask, RateLimit};

const CLUSTERS: &str = "core.kubefed.io/kubefedclusters";

/// Hands out clients of clusters in memory and remembers the tokens it was asked with.
#[derive(Default)]
struct FakeConnector {
    clusters: BTreeMap<String, FakeCluster>,
    tokens: Mutex<Vec<String>>,
}

impl Connector for FakeConnector {
    fn connect(
        &self,
        name: &str,
        access: &MemberAccess,
        guard: &GuardLayer,
    ) -> Result<kube::Client, MemberConnectError> {
        if let Credentials::Token(token) = &access.credentials {
            self.tokens.lock().unwrap().push(token.reveal().to_owned());
        }
        Ok(self.clusters[name].guarded_client(guard))
    }
}

fn cluster(name: &str) -> Value {
    json!({
        "apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
        "metadata": {"name": name, "namespace": "fed"},
        "spec": {"apiEndpoint": "https://127.0.0.1:1", "secretRef": {"name": name}},
    })
}

fn derived(name: &str, base: &str) -> Value {
    let mut derived = cluster(name);
    derived["metadata"]["labels"] = json!({
        "koinon.io/cell": "rz00a", "koinon.io/cell-namespace": "bank", "koinon.io/cluster": base,
    });
    derived
}

fn secret(name: &str, token: &str) -> Value {
    use base64::Engine;
    let token = base64::engine::general_purpose::STANDARD.encode(token);
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "fed"}, "data": {"token": token}})
}

struct Scene {
    hub: FakeCluster,
    member: FakeCluster,
    connector: Arc<FakeConnector>,
    members: Arc<Members>,
    _running: OwnedTask,
}

async fn scene() -> Scene {
    let (hub, member) = (FakeCluster::default(), FakeCluster::default());
    hub.seed(CLUSTERS, cluster("hz-1"));
    hub.seed(CLUSTERS, derived("rz00a.bank", "hz-1"));
    hub.seed("/secrets", secret("hz-1", "first"));
    let connector = Arc::new(FakeConnector {
        clusters: BTreeMap::from([("hz-1".to_owned(), member.clone())]),
        tokens: Mutex::default(),
    });
    let config = MembersConfig {
        period: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        thresholds: Thresholds {
            failure: 3,
            success: 1,
        },
        rate: RateLimit::MEMBER,
        request_timeout: Duration::from_secs(5),
        concurrency: 4,
        queue: 4,
    };
    let members = Members::new(
        hub.client(),
        "fed",
        Arc::clone(&connector) as Arc<dyn Connector>,
        config,
        Fence::open(),
        Env::default(),
        Metrics::default(),
    );
    let running = OwnedTask::spawn(Arc::clone(&members).run());
    members.settled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Scene {
        hub,
        member,
        connector,
        members,
        _running: running,
    }
}

fn condition(hub: &FakeCluster, name: &str) -> String {
    let conditions = &hub.get(CLUSTERS, "fed", name)["status"]["conditions"];
    let all: Vec<String> = conditions
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{}={}",
                one["type"].as_str().unwrap(),
                one["status"].as_str().unwrap()
            )
        })
        .collect();
    all.join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_ready_cluster_is_reported_once_with_its_derived_ones_and_then_only_by_heartbeat() {
    let scene = scene().await;
    assert!(scene.members.get("hz-1").unwrap().is_ready());
    assert!(
        scene.members.get("rz00a.bank").is_none(),
        "cells share the physical connection"
    );
    for name in ["hz-1", "rz00a.bank"] {
        assert_eq!(condition(&scene.hub, name), "Ready=True");
        assert_eq!(
            scene.hub.get(CLUSTERS, "fed", name)["status"]["kubernetesVersion"],
            "v1.35.0"
        );
    }
    assert_eq!(scene.hub.take_writes().len(), 2);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(scene.hub.take_writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_dead_cluster_is_offline_after_the_threshold_and_comes_back() {
    let scene = scene().await;
    let member = scene.members.get("hz-1").unwrap();
    let mut events = scene.members.listen();
    scene.member.set_mood(Mood::Down);
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert!(member.is_ready(), "one or two lost probes are no outage");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!member.is_ready());
    assert_eq!(condition(&scene.hub, "rz00a.bank"), "Offline=True");
    assert_eq!(
        events.recv().await.unwrap(),
        MemberEvent::NotReady {
            cluster: "hz-1".to_owned()
        }
    );
    scene.member.set_mood(Mood::Up);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(condition(&scene.hub, "hz-1"), "Ready=True");
    let back = MemberEvent::Ready {
        cluster: "hz-1".to_owned(),
        recovered: true,
    };
    assert_eq!(events.recv().await.unwrap(), back);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_cluster_is_offline_after_the_threshold_without_waiting_for_periods() {
    let scene = scene().await;
    let member = scene.members.get("hz-1").unwrap();
    scene.member.set_mood(Mood::Hanging);
    // The next probe comes within 10 s, and three of 3 s each say the same.
    tokio::time::sleep(Duration::from_secs(9 + 3 + 2)).await;
    assert!(member.is_ready(), "one or two lost probes are no outage");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(!member.is_ready());
    assert_eq!(condition(&scene.hub, "hz-1"), "Offline=True");
    scene.member.set_mood(Mood::Up);
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert!(member.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_silence_is_no_outage() {
    let scene = scene().await;
    let member = scene.members.get("hz-1").unwrap();
    for _ in 0..10 {
        scene.member.set_mood(Mood::Hanging);
        tokio::time::sleep(Duration::from_secs(5)).await;
        scene.member.set_mood(Mood::Up);
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert!(member.is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn doubts_bring_probes_forward() {
    let scene = scene().await;
    let member = scene.members.get("hz-1").unwrap();
    scene.member.set_mood(Mood::Down);
    for _ in 0..8 {
        member.doubt();
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    assert!(!member.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_is_used_without_an_outage() {
    let scene = scene().await;
    let member = scene.members.get("hz-1").unwrap();
    scene.hub.seed("/secrets", secret("hz-1", "second"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        scene.connector.tokens.lock().unwrap().last().unwrap(),
        "second"
    );
    assert!(member.is_ready());
    scene.hub.seed(
        "/secrets",
        json!({"metadata": {"name": "hz-1", "namespace": "fed"}, "data": {}}),
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(condition(&scene.hub, "hz-1"), "ConfigMalformed=True");
    scene.hub.seed("/secrets", secret("hz-1", "third"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(condition(&scene.hub, "hz-1"), "Ready=True");
}
