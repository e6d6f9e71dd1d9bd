//! The cluster proxy as its users meet it: real kubectl, two members, a cell, people who may and people who may not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use apiserver::auth::{Action, Authorizer, Decision};
use apiserver::local::{Gvr, LocalClient};
use apiserver::request::UserInfo;
use apiserver::seams::Seams;
use apiserver::server::Credential;
use apiserver::status::ApiError;
use apiserver::{Certificates, Server, ServerHandle};
use apiserver_store::{MemoryBackend, Store, StoreOptions};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_apiserver::hub_builder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const PROXY: &str = "/apis/koinon.io/v1alpha1/clusters";
const SYSTEM: &str = "kube-federation-system";
/// So long a server waits for what is open when it stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Alice may do everything but create on `clusters/proxy`; others of the hub may do everything.
struct NotAlice;

#[async_trait]
impl Authorizer for NotAlice {
    async fn authorize(&self, user: &UserInfo, action: &Action) -> Result<Decision, ApiError> {
        let Action::Resource(asked) = action else {
            return Ok(Decision::Allow);
        };
        let proxied = asked.resource == "clusters" && asked.subresource == "proxy";
        Ok(match (user.name.as_str(), proxied) {
            ("alice", true) if asked.name == "sh-1" || asked.verb == "create" => {
                Decision::Deny(String::new())
            }
            _ => Decision::Allow,
        })
    }
}

struct World {
    directory: tempfile::TempDir,
    hub: ServerHandle,
    member: ServerHandle,
}

async fn store() -> Store {
    Store::open(MemoryBackend::default(), StoreOptions::default())
        .await
        .unwrap()
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = |name: &str| {
            Certificates::open(&directory.path().join(name), &[], &Seams::system()).unwrap()
        };
        let hub = hub_builder(store().await, pki("hub"))
            .authorizer(Arc::new(NotAlice))
            .start()
            .await
            .unwrap();
        let member = Server::builder(store().await, pki("member"))
            .start()
            .await
            .unwrap();
        hub.ready().await;
        member.ready().await;
        let world = Self {
            directory,
            hub,
            member,
        };
        world
            .register("hz-1", &world.member.url(), world.member.ca_pem())
            .await;
        world
    }

    async fn create(&self, gvr: Gvr<'_>, namespace: &str, object: Value) {
        LocalClient::new(self.hub.api().clone(), "test")
            .create(gvr, namespace, &object)
            .await
            .unwrap();
    }

    /// Registers a cluster whose account is a bearer token.
    async fn register_by_token(&self, name: &str, endpoint: &str) {
        let data = json!({"token": STANDARD.encode("s3cret")});
        self.put(name, endpoint, None, data).await;
    }

    /// Registers a cluster with the member's administrator as the hub's account.
    async fn register(&self, name: &str, endpoint: &str, ca: &str) {
        let Credential::Certificate(identity) = self.member.kubeconfig("m").unwrap().credential
        else {
            panic!("the administrator has a certificate")
        };
        let data = json!({"tls.crt": STANDARD.encode(&identity.certificate_pem), "tls.key": STANDARD.encode(&identity.key_pem)});
        self.put(name, endpoint, Some(STANDARD.encode(ca)), data)
            .await;
    }

    async fn put(&self, name: &str, endpoint: &str, ca: Option<String>, data: Value) {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SYSTEM}, "data": data});
        self.create(Gvr::new("", "v1", "secrets"), SYSTEM, secret)
            .await;
        let cluster = json!({"apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
            "metadata": {"name": name, "namespace": SYSTEM},
            "spec": {"apiEndpoint": endpoint, "caBundle": ca, "secretRef": {"name": name}}});
        self.create(
            Gvr::new("core.kubefed.io", "v1beta1", "kubefedclusters"),
            SYSTEM,
            cluster,
        )
        .await;
    }

    /// A cell, and what the cell controller makes of it.
    async fn cell(&self, cell: &str, namespace: &str, member_namespace: &str) {
        let meta = json!({"name": namespace});
        let hub_namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": meta});
        self.create(Gvr::new("", "v1", "namespaces"), "", hub_namespace)
            .await;
        let object = json!({"apiVersion": "koinon.io/v1alpha1", "kind": "Cell",
            "metadata": {"name": cell, "namespace": namespace}, "spec": {"clusterRef": {"name": "hz-1"}}});
        self.create(
            Gvr::new("koinon.io", "v1alpha1", "cells"),
            namespace,
            object,
        )
        .await;
        let cluster = json!({"apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
            "metadata": {"name": format!("{cell}.{namespace}"), "namespace": SYSTEM,
                "labels": {"koinon.io/cell": cell, "koinon.io/cell-namespace": namespace, "koinon.io/cluster": "hz-1"},
                "annotations": {"koinon.io/member-namespace": member_namespace}},
            "spec": {"apiEndpoint": "unused.invalid", "secretRef": {"name": "hz-1"}}});
        self.create(
            Gvr::new("core.kubefed.io", "v1beta1", "kubefedclusters"),
            SYSTEM,
            cluster,
        )
        .await;
    }

    fn kubectl(&self) -> Kubectl {
        let file = self.directory.path().join("hub.kubeconfig");
        self.hub.kubeconfig("hub").unwrap().write(&file).unwrap();
        Kubectl {
            kubeconfig: file,
            cache: self.directory.path().join("cache"),
            server: self.hub.url(),
        }
    }

    async fn stop(self) {
        self.hub.shutdown().await;
        self.member.shutdown().await;
    }
}

#[derive(Clone)]
struct Kubectl {
    kubeconfig: PathBuf,
    cache: PathBuf,
    server: String,
}

impl Kubectl {
    /// The same user, at a cluster.
    fn at(&self, cluster: &str) -> Self {
        Self {
            server: format!("{}{PROXY}/{cluster}/proxy", self.server),
            ..self.clone()
        }
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(["--server", &self.server])
            .args(arguments.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn works(&self, arguments: &str) -> String {
        let output = self.output(arguments);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments}: {err}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    fn fails(&self, arguments: &str) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "kubectl {arguments} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn apply(&self, directory: &Path, manifest: &Value) {
        let file = directory.join("manifest.json");
        std::fs::write(&file, manifest.to_string()).unwrap();
        self.works(&format!("apply -f {}", file.display()));
    }
}

/// Runs what blocks beside the servers.
async fn blocking(what: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(what).await.unwrap();
}

fn config_map(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {"a": "1"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_used_as_if_it_were_near() {
    if !common::kubectl_is_there() {
        return;
    }
    let world = World::start().await;
    let (kubectl, directory) = (world.kubectl(), world.directory.path().to_owned());
    blocking(move || {
        let member = kubectl.at("hz-1");
        member.works("create namespace bank");
        assert!(kubectl.fails("get namespace bank").contains("NotFound"));
        member.apply(&directory, &config_map("bank", "c"));
        member.apply(&directory, &config_map("bank", "c"));
        member.works("-n bank patch configmap c --type=merge -p {\"data\":{\"a\":\"2\"}}");
        assert_eq!(
            member.works("-n bank get configmap c -o jsonpath={.data.a}"),
            "2"
        );
        assert!(member.works("-n bank get configmaps").contains("DATA"));
        assert!(
            member
                .works("explain configmap.data")
                .contains("FIELD: data")
        );
        assert!(member.works("api-resources").contains("deployments"));
        assert!(member.works("version").contains("Server Version"));
        member.works("-n bank delete configmap c");
        // The deletion of a namespace waits by watching.
        member.works("delete namespace bank --timeout=20s");

        let metrics = kubectl.works("get --raw /metrics");
        assert!(
            metrics
                .contains("koinon_cluster_proxy_requests_total{cluster=\"hz-1\",code=\"201\"} 2\n"),
            "{metrics}"
        );
        let open = "koinon_cluster_proxy_open_requests{cluster=\"hz-1\"} ";
        assert!(metrics.contains(open), "{metrics}");

        let shown = kubectl.works("get --raw /apis/koinon.io/v1alpha1");
        assert!(shown.contains("\"clusters/proxy\""), "{shown}");
        let kinds = kubectl.works("api-resources");
        assert!(
            !kinds.lines().any(|line| line.starts_with("clusters ")),
            "{kinds}"
        );
        let unknown = kubectl.fails(&format!("get --raw {PROXY}/nowhere/proxy/api"));
        assert!(
            unknown.contains("clusters.koinon.io \"nowhere\" not found"),
            "{unknown}"
        );
    })
    .await;
    world.stop().await;
}

/// A watch of a member ends when the hub stops, as the hub's own do: neither does it hold up the hub, nor does its client complain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_hub_ends_watches_of_members() {
    if !common::kubectl_is_there() {
        return;
    }
    let world = World::start().await;
    let member = world.kubectl().at("hz-1");
    let mut watch = member
        .command("get namespaces --watch -o name")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(watch.stdout.take().unwrap()).lines();
    let first = tokio::task::spawn_blocking(move || (told.next().unwrap().unwrap(), told));
    let (first, told) = first.await.unwrap();
    assert!(first.starts_with("namespace/"));
    let begun = Instant::now();
    world.stop().await;
    assert!(begun.elapsed() < DRAIN, "{:?}", begun.elapsed());
    let ended = tokio::task::spawn_blocking(|| watch.wait_with_output().unwrap());
    let ended = ended.await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{said}");
    drop(told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_is_its_namespace_and_refusals_say_what_to_do() {
    if !common::kubectl_is_there() {
        return;
    }
    let world = World::start().await;
    world.cell("rz00a", "bank", "bank-rz00a").await;
    let other_ca = world.hub.ca_pem().to_owned();
    world
        .register("untrusted", &world.member.url(), &other_ca)
        .await;
    world.register_by_token("down", "http://127.0.0.1:1").await;
    let (kubectl, directory) = (world.kubectl(), world.directory.path().to_owned());
    blocking(move || {
        let (member, cell) = (kubectl.at("hz-1"), kubectl.at("rz00a.bank"));
        for namespace in ["bank-rz00a", "shop"] {
            member.works(&format!("create namespace {namespace}"));
            member.apply(&directory, &config_map(namespace, "c"));
        }
        assert!(cell.works("-n bank-rz00a get configmaps").contains('c'));
        cell.works("-n bank-rz00a delete configmap c");
        for outside in [
            "-n shop get configmaps",
            "get configmaps -A",
            "get nodes",
            "delete ns bank-rz00a",
        ] {
            let said = cell.fails(outside);
            assert!(said.contains("Forbidden"), "{outside}: {said}");
        }
        for (cluster, code, hint) in [
            ("down", "ServiceUnavailable", "check that it runs"),
            ("untrusted", "BadGateway", "check spec.caBundle"),
        ] {
            let said = kubectl.fails(&format!("get --raw {PROXY}/{cluster}/proxy/api"));
            assert!(
                said.contains(code) && said.contains(hint),
                "{cluster}: {said}"
            );
        }
        let alice = kubectl.at("hz-1");
        alice.works("--as alice get namespaces");
        assert!(
            alice
                .fails("--as alice create namespace x")
                .contains("clusters/proxy")
        );
        let said = kubectl.fails(&format!("--as alice get --raw {PROXY}/sh-1/proxy/api"));
        assert!(said.contains("forbidden"), "{said}");
    })
    .await;
    world.stop().await;
}

/// A member that tells what it was asked, and that upgrades to a protocol which repeats what it hears and says bye when the
/// client has no more to say.
async fn telling_member() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tell(stream));
        }
    });
    url
}

async fn tell(mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    if head.starts_with("get /unauthorized") {
        let _ = stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
            .await;
    } else if head.contains("upgrade: echo") {
        let _ = stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
            )
            .await;
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.write_all(b"bye").await;
    } else {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\nset-cookie: a=b\r\ncontent-length: {}\r\n\r\n{head}",
            head.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// Speaks to the hub as its administrator, byte by byte.
async fn speak(world: &World, request: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
    let Credential::Certificate(identity) = world.hub.kubeconfig("h").unwrap().credential else {
        panic!("the administrator has a certificate")
    };
    let cluster = json!({"apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster", "metadata": {"name": "hub"},
        "spec": {"apiEndpoint": world.hub.url(), "caBundle": STANDARD.encode(world.hub.ca_pem()), "secretRef": {"name": "s"}}});
    let secret = json!({"data": {"tls.crt": STANDARD.encode(&identity.certificate_pem), "tls.key": STANDARD.encode(&identity.key_pem)}});
    let access = federation_member::MemberAccess::parse(
        &serde_json::from_value(cluster).unwrap(),
        Some(&serde_json::from_value(secret).unwrap()),
    )
    .unwrap();
    let config = federation_member::client_config(&access).unwrap();
    let stream = TcpStream::connect(world.hub.address()).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    let all = stream.read_to_end(&mut text);
    // Some ends come without TLS's own goodbye; what matters is what was said before.
    let _ = tokio::time::timeout(Duration::from_secs(20), all)
        .await
        .expect("an end");
    String::from_utf8(text).unwrap().to_lowercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_may_pass_passes() {
    let world = World::start().await;
    world
        .register_by_token("teller", &telling_member().await)
        .await;
    let path = format!("{PROXY}/teller/proxy");
    let forged = "Authorization: Bearer stolen\r\nX-Remote-User: root\r\nX-Remote-Group: system:masters\r\n\
        X-Forwarded-For: 1.2.3.4\r\nProxy-Authorization: Basic eA==\r\nCookie: a=b\r\nX-Secret: s\r\nKeep-Alive: 1\r\n\
        Sec-WebSocket-Protocol: v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c3RvbGVu\r\n\
        Impersonate-User: alice\r\nImpersonate-Group: dev\r\nImpersonate-Extra-Acme.com%2Fp: x\r\nAudit-ID: a-1\r\n";
    let get = format!(
        "GET {path}/a%2Fb?c=%20d HTTP/1.1\r\nHost: hub\r\nConnection: close, X-Secret\r\n{forged}\r\n"
    );
    let told = rest(&mut speak(&world, &get).await).await;
    for there in [
        "http/1.1 200 ok",
        "get /a%2fb?c=%20d http/1.1",
        "authorization: bearer s3cret",
        "impersonate-user: alice",
        "impersonate-group: dev",
        "impersonate-extra-acme.com%2fp: x",
        "sec-websocket-protocol: v5.channel.k8s.io\r",
        "audit-id: a-1",
        "host: 127.0.0.1:",
    ] {
        assert!(told.contains(there), "{there} is not in {told}");
    }
    for absent in [
        "stolen",
        "c3rvbgvu",
        "x-remote",
        "x-forwarded",
        "proxy-auth",
        "cookie",
        "x-secret",
        "keep-alive",
        "system:masters",
        "system:authenticated",
    ] {
        assert!(!told.contains(absent), "{absent} is in {told}");
    }
    let plain = |more: &str| {
        format!("GET {path}/unauthorized HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n{more}\r\n")
    };
    let told = rest(&mut speak(&world, &plain("")).await).await;
    assert!(
        told.contains("503") && told.contains("does not accept the hub's credentials"),
        "{told}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_connection_has_two_ends_and_takes_create() {
    let world = World::start().await;
    world
        .register_by_token("teller", &telling_member().await)
        .await;
    let upgrade = |who: &str| {
        format!(
            "GET {PROXY}/teller/proxy/exec HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: echo\r\n{who}\r\n"
        )
    };
    let mut stream = speak(&world, &upgrade("")).await;
    stream.write_all(b"hello").await.unwrap();
    // The end of what we say is not the end of what we hear.
    stream.shutdown().await.unwrap();
    let heard = rest(&mut stream).await;
    assert!(heard.starts_with("http/1.1 101"), "{heard}");
    assert!(
        heard.contains("upgrade: echo") && heard.ends_with("\r\n\r\nhellobye"),
        "{heard}"
    );
    let refused = upgrade("Impersonate-User: alice\r\n")
        .replace("Connection: Upgrade", "Connection: Upgrade, close");
    let heard = rest(&mut speak(&world, &refused).await).await;
    assert!(
        heard.contains("403") && heard.contains(r#"cannot create resource \"clusters/proxy\""#),
        "{heard}"
    );
    world.stop().await;
}
