//! kubectl through the hub: every cluster and cell by its context, with an upstream member and a kubelet that really streams.

#![expect(clippy::unwrap_used, reason = "the whole file is a test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use federation_tests::upstream::{ControlPlane, Options, StubKubelet};
use federation_tests::{Playground, eventually};

/// A playground with an upstream member `up-1`, which holds the cell `rz02a` and in it the Pod `web`.
struct World {
    playground: Playground,
    plane: ControlPlane,
    kubelet: StubKubelet,
    kubeconfig: PathBuf,
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
        let member = plane.kubeconfig().display().to_string();
        let labels = "koinon.io/tenant=bank,koinon.io/workspace-group=bank-prod";
        let join = [
            "join",
            "up-1",
            "--cluster-kubeconfig",
            &member,
            "--labels",
            labels,
        ];
        fedctl(&playground, &join);
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
        Some(Self {
            playground,
            plane,
            kubelet,
            kubeconfig,
        })
    }

    /// kubectl as a person types it: the context alone says where.
    fn command(&self, context: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.playground.tools().kubectl());
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", self.plane.directory().join("proxy-cache"))
            .args(["--context", context])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn output(&self, context: &str, arguments: &[&str], input: &[u8]) -> Output {
        finish(&mut self.command(context, arguments), input)
    }

    #[track_caller]
    fn works(&self, context: &str, arguments: &[&str]) -> String {
        checked(self.output(context, arguments, b""), arguments)
    }

    #[track_caller]
    fn refused(&self, context: &str, arguments: &[&str]) -> String {
        let output = self.output(context, arguments, b"");
        assert!(!output.status.success(), "{arguments:?} was not refused");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn fedctl(playground: &Playground, arguments: &[&str]) -> String {
    checked(playground.fedctl(arguments), arguments)
}

#[track_caller]
fn checked(output: Output, arguments: &[&str]) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    out
}

fn finish(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.spawn().expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("standard input was piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("kubectl ends");
    // It may have ended before it read everything.
    let _ = writer.join().expect("the writer does not panic");
    output
}

/// Bytes that no text filter would leave alone.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn kubectl_works_in_every_cell_through_the_hub() {
    let Some(world) = World::start() else {
        return;
    };
    contexts_lead_into_clusters_and_cells(&world);
    a_cell_is_its_namespace(&world);
    callers_are_themselves_in_the_member(&world);
    watches_and_logs_stream(&world);
    for transport in ["true", "false"] {
        commands_run(&world, transport);
        files_are_copied(&world, transport);
        ports_are_forwarded(&world, transport);
    }
    something_is_attached_to(&world);
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

/// Reads lines of a command that does not end by itself until one holds `last`, then ends it.
fn lines_until(mut child: Child, last: &str) -> Vec<String> {
    let output = BufReader::new(child.stdout.take().expect("it was piped"));
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|line: &String| line.contains(last)) {
        match lines.recv_timeout(Duration::from_secs(30)) {
            Ok(line) => seen.push(line),
            Err(error) => panic!("{error}: no line with {last:?} among {seen:?}"),
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    seen
}

fn watches_and_logs_stream(world: &World) {
    let watch = ["get", "configmaps", "-w", "-o", "name"];
    let watch = world
        .command("rz02a", &watch)
        .spawn()
        .expect("kubectl starts");
    world.works("rz02a", &["create", "configmap", "while-watching"]);
    lines_until(watch, "while-watching");
    let all = world.works("rz02a", &["logs", "web"]);
    assert_eq!(all, "web line 1\nweb line 2\nweb line 3\n");
    let follow = world
        .command("rz02a", &["logs", "-f", "web"])
        .spawn()
        .expect("kubectl starts");
    assert!(lines_until(follow, "line 8").len() >= 8);
}

/// `websockets`: whether kubectl speaks WebSocket (`true`) or SPDY (`false`).
fn exec(world: &World, websockets: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = world.command("rz02a", arguments);
    command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets);
    finish(&mut command, input)
}

fn commands_run(world: &World, websockets: &str) {
    let bytes = noise(2 * 1024 * 1024);
    let echo = exec(
        world,
        websockets,
        &["exec", "-i", "web", "--", "cat"],
        &bytes,
    );
    assert!(
        echo.status.success(),
        "{}",
        String::from_utf8_lossy(&echo.stderr)
    );
    assert!(
        echo.stdout == bytes,
        "{} of {} bytes came back",
        echo.stdout.len(),
        bytes.len()
    );
    let script = "echo out; echo err >&2; exit 7";
    let ended = exec(
        world,
        websockets,
        &["exec", "web", "--", "sh", "-c", script],
        b"",
    );
    assert_eq!(ended.status.code(), Some(7));
    assert_eq!(ended.stdout, b"out\n");
    assert!(ended.stderr.starts_with(b"err\n"));
    assert!(world.kubelet.log().contains("exec [\"cat\"]"));
}

fn files_are_copied(world: &World, websockets: &str) {
    let bytes = noise(1024 * 1024);
    let directory = world.plane.directory();
    let (local, back) = (directory.join("local"), directory.join("back"));
    std::fs::write(&local, &bytes).unwrap();
    let copy = |from: &Path, to: &Path| {
        let (from, to) = (from.display().to_string(), to.display().to_string());
        let output = exec(world, websockets, &["cp", &from, &to], b"");
        checked(output, &["cp", &from, &to]);
    };
    copy(&local, Path::new("web:there"));
    assert!(std::fs::read(world.kubelet.container().join("there")).unwrap() == bytes);
    copy(Path::new("web:there"), &back);
    assert!(std::fs::read(&back).unwrap() == bytes);
}

fn something_is_attached_to(world: &World) {
    let output = world.output("rz02a", &["attach", "-i", "web"], b"hello\n");
    let said = checked(output, &["attach"]);
    assert_eq!(said, "attached\nhello\n");
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
    let target = format!(":{}", repeater());
    let mut command = world.command("rz02a", &["port-forward", "web", &target]);
    let mut forward = command
        .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
        .spawn()
        .expect("kubectl starts");
    let mut output = BufReader::new(forward.stdout.take().expect("it was piped"));
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let port = line
        .strip_prefix("Forwarding from 127.0.0.1:")
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|port| port.parse::<u16>().ok())
        .unwrap_or_else(|| panic!("{line}"));
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
    forward.kill().unwrap();
    forward.wait().unwrap();
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
