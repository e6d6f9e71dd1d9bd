//! How the hub gets to an upstream member, and as whom: under RBAC rules that name who may come, and through an HTTP proxy.

#![expect(clippy::unwrap_used, reason = "the whole file is a test")]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use federation_tests::contexts::{Contexts, checked};
use federation_tests::federated::{counted, federated};
use federation_tests::upstream::{ControlPlane, Options};
use federation_tests::{Kubectl, Playground, eventually};
use serde_json::json;

/// A playground with an upstream member that was joined with more flags, and contexts for everything.
struct World {
    playground: Playground,
    plane: ControlPlane,
    contexts: Contexts,
}

impl World {
    fn start(flags: &[&str]) -> Option<Self> {
        let plane = ControlPlane::start(Options::with_controllers())?;
        let playground = Playground::start()?;
        playground.join_upstream(&plane, flags);
        let kubeconfig = plane.directory().join("all.kubeconfig");
        let file = kubeconfig.display().to_string();
        fedctl(&playground, &["kubeconfig", "--file", &file]);
        let contexts = Contexts::new(playground.tools().kubectl(), &kubeconfig, plane.directory());
        Some(Self {
            playground,
            plane,
            contexts,
        })
    }

    fn system(&self) -> Kubectl {
        self.playground.hub().namespace("kube-federation-system")
    }

    fn is_ready(&self) {
        let ready = [
            "wait",
            "--for=condition=Ready",
            "kubefedcluster/up-1",
            "--timeout=60s",
        ];
        self.system().run(&ready);
    }
}

fn fedctl(playground: &Playground, arguments: &[&str]) -> String {
    checked(&playground.fedctl(arguments), arguments)
}

#[test]
fn only_those_who_were_named_come_through_the_hub() {
    let named = "user:alice,group:dev";
    let Some(world) = World::start(&["--least-privilege", "--proxy-as", named]) else {
        return;
    };
    world.is_ready();
    let member = world.plane.kubectl();
    member.run(&[
        "create",
        "clusterrolebinding",
        "alice",
        "--clusterrole=view",
        "--user=alice",
    ]);
    let dev = [
        "create",
        "rolebinding",
        "dev",
        "--clusterrole=edit",
        "--group=dev",
    ];
    member.run(&dev);
    let as_alice = |words: &[&'static str]| [words, &["--as", "alice"]].concat();
    let as_dev = |words: &[&'static str]| [words, &["--as", "alice", "--as-group", "dev"]].concat();
    let contexts = &world.contexts;
    let whoami = [
        "auth",
        "whoami",
        "-o",
        "jsonpath={.status.userInfo.username}",
    ];
    assert_eq!(contexts.works("up-1", &as_alice(&whoami)), "alice");
    // Named, and granted something in the member: as much as that and no more.
    contexts.works("up-1", &as_alice(&["get", "configmaps", "-A"]));
    let create = ["create", "configmap", "mine", "--from-literal=a=1"];
    let refused = contexts.refused("up-1", &as_alice(&create));
    assert!(
        refused.contains(r#"User "alice" cannot create"#),
        "{refused}"
    );
    contexts.works("up-1", &as_dev(&create));
    // Not named: the member does not let the hub act as them, whoever they are on the hub.
    for (who, what) in [
        (
            &["--as", "bob"][..],
            r#"cannot impersonate resource "users""#,
        ),
        (
            &["--as", "alice", "--as-group", "ops"],
            r#"cannot impersonate resource "groups""#,
        ),
        (&[], "cannot impersonate resource"),
    ] {
        let words = [&["get", "configmaps"][..], who].concat();
        let refused = contexts.refused("up-1", &words);
        assert!(refused.contains(what), "{who:?}: {refused}");
    }
}

/// An HTTP proxy that lets in who knows the password and knows where `kubernetes.default.svc` is, which nobody else here does.
struct Proxy {
    port: u16,
    passed: Arc<AtomicUsize>,
}

/// `user:password`.
const LOGIN: &str = "Basic dXNlcjpwYXNzd29yZA==";

impl Proxy {
    fn start(member: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passed);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                thread::spawn(move || pass(stream, member, &count));
            }
        });
        Self { port, passed }
    }
}

fn pass(client: TcpStream, member: u16, count: &AtomicUsize) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        head.push_str(&line);
        line.clear();
    }
    let mut client_out = client.try_clone()?;
    let is_asked = head.starts_with("CONNECT kubernetes.default.svc:6443 ");
    let head = head.to_ascii_lowercase();
    let knows = head.contains(&format!(
        "proxy-authorization: {}",
        LOGIN.to_ascii_lowercase()
    ));
    if !is_asked || !knows {
        return client_out.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    }
    let member = TcpStream::connect(("127.0.0.1", member))?;
    client_out.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    count.fetch_add(1, Ordering::Relaxed);
    let (mut up, mut down) = (member.try_clone()?, member);
    let sending = thread::spawn(move || {
        let _ = io::copy(&mut reader, &mut up);
        let _ = up.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut down, &mut client_out);
    let _ = client_out.shutdown(Shutdown::Write);
    let _ = sending.join();
    Ok(())
}

#[test]
fn a_member_behind_an_http_proxy_is_reached_through_it() {
    let Some(world) = World::start(&[]) else {
        return;
    };
    let proxy = Proxy::start(world.plane.port());
    let through = |login: &str| {
        let url = format!("http://{login}127.0.0.1:{}", proxy.port);
        let spec = json!({"apiEndpoint": "https://kubernetes.default.svc:6443", "proxyURL": url});
        world
            .system()
            .patch("kubefedcluster", "up-1", &json!({"spec": spec}));
    };
    // Without the password the proxy refuses: so there is no other way.
    through("");
    eventually("the member is not ready", || {
        let cluster = world.system().try_get("kubefedcluster", "up-1")?;
        let text = cluster["status"]["conditions"].to_string();
        match text.contains(r#""type":"Offline""#) && !text.contains(r#""type":"Ready""#) {
            true => Ok(()),
            false => Err(text),
        }
    });
    let path = "/apis/koinon.io/v1alpha1/clusters/up-1/proxy/version";
    let refused = world.contexts.refused("koinon", &["get", "--raw", path]);
    assert!(refused.contains("spec.proxyURL"), "{refused}");
    assert_eq!(proxy.passed.load(Ordering::Relaxed), 0);

    through("user:password@");
    world.is_ready();
    let cell = [
        "cell",
        "create",
        "rz03a",
        "--cluster",
        "up-1",
        "-n",
        "bank-prod",
    ];
    fedctl(&world.playground, &cell);
    fedctl(&world.playground, &["enable", "configmaps"]);
    let hub = world.playground.hub();
    eventually("ConfigMaps are federated", || {
        let data = json!({"data": {"a": "1"}});
        let object = federated("FederatedConfigMap", "settings", &["rz03a"], data);
        hub.try_with_input(&["apply", "-f", "-"], &object.to_string())
    });
    counted(&hub, "federatedconfigmap", "settings", 1, 0);
    let there = world.plane.kubectl().namespace("bank-prod-rz03a");
    assert_eq!(there.get("configmap", "settings")["data"]["a"], "1");
    let seen = world.contexts.works("up-1", &["get", "namespaces"]);
    assert!(seen.contains("bank-prod-rz03a"), "{seen}");
    assert!(proxy.passed.load(Ordering::Relaxed) > 1);
}
