//! kubectl through the hub: every cluster and cell by its context, with an upstream member and a kubelet that really streams.

#![expect(clippy::unwrap_used, reason = "the whole file is a test")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use federation_tests::contexts::{Contexts, checked, noise};
use federation_tests::upstream::{ControlPlane, Options, StubKubelet};
use federation_tests::{Playground, eventually};

/// A playground with an upstream member `up-1`, which holds the cell `rz02a` and in it the Pod `web`.
struct World {
    playground: Playground,
    plane: ControlPlane,
    kubelet: StubKubelet,
    kubeconfig: PathBuf,
    contexts: Contexts,
}

impl World {
    fn start() -> Option<Self> {
        let mut kubelet = StubKubelet::prepare()?;
        let playground = Playground::start()?;
        let plane = ControlPlane::start(Options {
            extra_apiserver_args: kubelet.apiserver_args(),
            ..Options::with_controllers()
        })?;
        kubelet.join("n1", &plane.kubectl());
        playground.join_upstream(&plane, &[]);
        let cell = [
            "cell",
            "create",
            "rz02a",
            "--cluster",
            "up-1",
            "-n",
            "bank-prod",
        ];
        fedctl(&playground, &cell);
        let in_cell = plane.kubectl().namespace("bank-prod-rz02a");
        eventually("the cell has its namespace and its account", || {
            in_cell.try_get("serviceaccount", "default").map(drop)
        });
        StubKubelet::run_pod("n1", &in_cell, "web");
        let kubeconfig = plane.directory().join("all.kubeconfig");
        let file = kubeconfig.display().to_string();
        let said = fedctl(&playground, &["kubeconfig", "--file", &file]);
        assert!(
            said.contains("koinon, hz-1, sh-1, up-1, rz00a, rz00b, rz01a, rz02a"),
            "{said}"
        );
        let contexts = Contexts::new(playground.tools().kubectl(), &kubeconfig, plane.directory());
        Some(Self {
            playground,
            plane,
            kubelet,
            kubeconfig,
            contexts,
        })
    }

    #[track_caller]
    fn works(&self, context: &str, arguments: &[&str]) -> String {
        self.contexts.works(context, arguments)
    }

    #[track_caller]
    fn refused(&self, context: &str, arguments: &[&str]) -> String {
        self.contexts.refused(context, arguments)
    }
}

fn fedctl(playground: &Playground, arguments: &[&str]) -> String {
    checked(&playground.fedctl(arguments), arguments)
}

#[test]
fn kubectl_works_in_every_cell_through_the_hub() {
    let Some(world) = World::start() else {
        return;
    };
    contexts_lead_into_clusters_and_cells(&world);
    a_cell_is_its_namespace(&world);
    callers_are_themselves_in_the_member(&world);
    let contexts = &world.contexts;
    contexts.watches_and_logs_stream("rz02a");
    for transport in ["true", "false"] {
        contexts.commands_run("rz02a", transport);
        contexts.files_are_copied("rz02a", transport, &world.kubelet.container());
        ports_are_forwarded(&world, transport);
    }
    assert!(world.kubelet.log().contains("exec [\"cat\"]"));
    contexts.something_is_attached_to("rz02a");
    kubeconfigs_are_renewed(&world);
}

fn contexts_lead_into_clusters_and_cells(world: &World) {
    assert!(world.works("up-1", &["get", "nodes"]).contains("n1"));
    assert!(world.works("rz02a", &["get", "pods"]).contains("web"));
    world.works(
        "rz02a",
        &["create", "configmap", "from-afar", "--from-literal=a=1"],
    );
    let there = world.plane.kubectl().namespace("bank-prod-rz02a");
    assert_eq!(there.get("configmap", "from-afar")["data"]["a"], "1");
    // The playground's own members too, and the hub itself.
    assert!(
        world
            .works("hz-1", &["get", "namespaces"])
            .contains("bank-prod-rz00a")
    );
    world.works("rz00a", &["get", "foos"]);
    assert!(
        world
            .works("koinon", &["get", "cells", "-A"])
            .contains("rz02a")
    );
}

fn a_cell_is_its_namespace(world: &World) {
    for arguments in [
        &["get", "nodes"][..],
        &["get", "pods", "-A"],
        &["get", "pods", "-n", "kube-system"],
        &["delete", "namespace", "bank-prod-rz02a"],
    ] {
        let said = world.refused("rz02a", arguments);
        assert!(
            said.contains("Forbidden") || said.contains("forbidden"),
            "{arguments:?}: {said}"
        );
    }
    world.works("rz02a", &["auth", "can-i", "list", "pods"]);
}

fn callers_are_themselves_in_the_member(world: &World) {
    let said = world.refused("up-1", &["get", "pods", "--as", "bob", "--as-group", "dev"]);
    assert!(
        said.contains(r#"User "bob" cannot list resource "pods""#),
        "{said}"
    );
    let robot = "system:serviceaccount:bank-prod:robot";
    let said = world.refused("up-1", &["get", "pods", "--as", robot]);
    assert!(
        said.contains(&format!("User \"hub:{robot}\" cannot list")),
        "{said}"
    );
    let myself = world.works(
        "up-1",
        &[
            "auth",
            "whoami",
            "-o",
            "jsonpath={.status.userInfo.username}",
        ],
    );
    assert_eq!(myself, "kubernetes-admin");
}

/// A server that answers everything it got once the client has said that this was all.
fn repeater() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut stream, mut all) = (stream, Vec::new());
                if stream.read_to_end(&mut all).is_ok() {
                    let _ = stream.write_all(&all);
                }
            });
        }
    });
    port
}

fn ports_are_forwarded(world: &World, websockets: &str) {
    let (_forward, port) = world.contexts.forward("rz02a", websockets, repeater());
    // Each is a stream of its own on one upgraded connection; the end of one direction must not end the other.
    for length in [10, 300_000] {
        let bytes = noise(length);
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(&bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert!(back == bytes, "{} of {length} bytes came back", back.len());
    }
}

fn kubeconfigs_are_renewed(world: &World) {
    let file = world.kubeconfig.display().to_string();
    let refused = world.playground.fedctl(&["kubeconfig", "--file", &file]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--merge"));
    let before = std::fs::read_to_string(&world.kubeconfig).unwrap();
    fedctl(
        &world.playground,
        &["kubeconfig", "--file", &file, "--merge"],
    );
    assert_eq!(std::fs::read_to_string(&world.kubeconfig).unwrap(), before);
    world.works("rz02a", &["get", "pods"]);
}
