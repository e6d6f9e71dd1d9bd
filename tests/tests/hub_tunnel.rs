//! The whole way to members that only their agents reach: hub, controller, agent and member in processes of their own, with real kubectl.

#![expect(clippy::unwrap_used, reason = "the whole file is a test")]

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use apiserver_store::conformance::databases::{DatabaseServer, Engine};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use federation_tests::upstream::free_port;
use federation_tests::{
    Guarded, HubProcess, Kubectl, MemberServer, Tools, eventually, our_program, skip, within,
};
use serde_json::{Value, json};

const SYSTEM: &str = "kube-federation-system";
/// What "within seconds" is on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// Hubs on one database, the controller of the first, and a member.
struct Federation {
    tools: Tools,
    hubs: Vec<HubProcess>,
    tunnels: Vec<u16>,
    member: MemberServer,
    _controller: Guarded,
    directory: tempfile::TempDir,
    _database: Option<DatabaseServer>,
}

impl Federation {
    /// One hub on SQLite, or two on PostgreSQL. `None`: something is not installed or built.
    fn start(engine: Option<Engine>) -> Option<Self> {
        let tools = Tools::find()?;
        let database = match engine {
            Some(engine) => Some(DatabaseServer::start(engine, false)?),
            None => None,
        };
        let directory = tempfile::Builder::new()
            .prefix("koinon-tunnel-")
            .tempdir()
            .unwrap();
        let url = database.as_ref().map(DatabaseServer::create_database);
        let names: &[&str] = if url.is_some() { &["a", "b"] } else { &["a"] };
        let (mut hubs, mut tunnels) = (Vec::new(), Vec::new());
        for name in names {
            let port = free_port();
            let mut arguments = vec![
                format!("--tunnel-listen=127.0.0.1:{port}"),
                format!("--tunnel-id={name}"),
                "--log=info,federation_tunnel=debug".to_owned(),
            ];
            if let Some(url) = &url {
                arguments.extend(["--database-url".to_owned(), url.clone()]);
            }
            let program = tools.binary("federation-apiserver");
            let mut hub = HubProcess::new(&program, directory.path(), name, &arguments);
            hub.start();
            hubs.push(hub);
            tunnels.push(port);
        }
        let member = MemberServer::start(&tools);
        let mut controller = Command::new(tools.binary("federation-controller"));
        controller
            .arg("--kubeconfig")
            .arg(hubs[0].kubeconfig())
            .args(["--healthz-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"])
            .env("RUST_LOG", "info,kube_client=error")
            .stdout(Stdio::null())
            .stderr(File::create(directory.path().join("controller.log")).unwrap());
        let controller = Guarded::start(&mut controller, directory.path()).unwrap();
        Some(Self {
            tools,
            hubs,
            tunnels,
            member,
            _controller: controller,
            directory,
            _database: database,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn kubectl(&self, hub: usize) -> Kubectl {
        let cache = self.path(&format!("cache-{hub}"));
        Kubectl::new(self.tools.kubectl(), &self.hubs[hub].kubeconfig(), &cache).namespace(SYSTEM)
    }

    /// Standard output.
    #[track_caller]
    fn fedctl(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.tools.fedctl())
            .args(arguments)
            .arg("--kubeconfig")
            .arg(self.hubs[0].kubeconfig())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Port of the member's API server.
    fn member_port(&self) -> String {
        let kubeconfig = fs::read_to_string(self.member.kubeconfig()).unwrap();
        let (_, rest) = kubeconfig.split_once("https://127.0.0.1:").unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect()
    }

    /// Registers a cluster, applies in the member what that prints, and puts into files what a kubelet would mount for the agent.
    fn join(&self, cluster: &str) -> Handed {
        let manifest = self.fedctl(&["join", cluster, "--tunnel"]);
        let member = self.member.kubectl().namespace(SYSTEM);
        member
            .try_with_input(&["apply", "-f", "-"], &manifest)
            .unwrap_or_else(|complaint| panic!("{complaint}\n{manifest}"));
        let account = format!("{cluster}-koinon");
        let account = eventually("the hub's account has its token", || {
            let secret = member.try_get("secret", &account)?;
            match secret["data"]["token"].is_string() && secret["data"]["ca.crt"].is_string() {
                true => Ok(secret),
                false => Err(secret.to_string()),
            }
        });
        let handed = Handed {
            bootstrap: self.path(&format!("{cluster}.bootstrap")),
            account: self.path(&format!("{cluster}.account")),
        };
        mount(
            &member.get("secret", "proxy-agent-bootstrap"),
            &handed.bootstrap,
        );
        mount(&account, &handed.account);
        handed
    }

    /// Starts an agent with a state of its own, as the manifest does. Flags come last and win.
    fn agent(&self, handed: &Handed, state: &str, flags: &[&str]) -> Agent {
        let log = self.path(&format!("{state}.log"));
        let out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut command = Command::new(our_program("proxy-agent").unwrap());
        command
            .arg(format!("--bootstrap-dir={}", handed.bootstrap.display()))
            .arg(format!("--member-account-dir={}", handed.account.display()))
            .arg(format!("--state-dir={}", self.path(state).display()))
            .arg(format!("--api-server=127.0.0.1:{}", self.member_port()))
            .arg("--health-server-port=0")
            .args(flags)
            .env_remove("HTTPS_PROXY")
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        Agent {
            process: Guarded::start(&mut command, self.directory.path()).unwrap(),
            log,
        }
    }

    fn ready(&self, hub: usize, cluster: &str) -> Result<(), String> {
        let held = self.kubectl(hub).try_get("kubefedcluster", cluster)?;
        let is_ready =
            |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        match held["status"]["conditions"].as_array() {
            Some(conditions) if conditions.iter().any(is_ready) => Ok(()),
            _ => Err(held["status"].to_string()),
        }
    }

    #[track_caller]
    fn is_ready(&self, cluster: &str) {
        within(3 * SOON, "the cluster is ready", || {
            self.ready(0, cluster)
                .map_err(|why| format!("{why}\n{}", self.logs()))
        });
    }

    #[track_caller]
    fn is_down(&self, cluster: &str) {
        within(SOON, "the cluster is known to be down", || {
            match self.ready(0, cluster) {
                Err(status) if status.contains("not connected") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }

    fn logs(&self) -> String {
        let tail = |name: &str| {
            let log = fs::read_to_string(self.path(name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(15)..].join("\n")
        };
        ["a.log", "b.log", "controller.log", "agent.log"]
            .map(|name| format!("--- {name}\n{}\n", tail(name)))
            .concat()
    }
}

/// What an agent is handed, in directories.
struct Handed {
    bootstrap: PathBuf,
    account: PathBuf,
}

fn mount(secret: &Value, directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    for (name, value) in secret["data"].as_object().unwrap() {
        let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
        fs::write(directory.join(name), bytes).unwrap();
    }
}

struct Agent {
    process: Guarded,
    log: PathBuf,
}

impl Agent {
    /// Waits until it says that the hub refuses it, with this code.
    #[track_caller]
    fn is_refused(&self, code: &str) {
        within(2 * SOON, "the agent is refused", || {
            let log = fs::read_to_string(&self.log).unwrap();
            let refused = format!("refuses ({code})");
            if log.contains(&refused) {
                Ok(())
            } else {
                Err(log)
            }
        });
    }
}

fn federated_config_map() -> Value {
    json!({
        "apiVersion": "types.kubefed.io/v1",
        "kind": "FederatedConfigMap",
        "metadata": {"name": "color", "namespace": "bank"},
        "spec": {
            "topologyType": "cell",
            "placement": {"topologies": [{"name": "rz07a"}]},
            "template": {"data": {"color": "blue"}},
        },
    })
}

/// What the controller and fedctl do in a member, and what people do there, all through the tunnel.
fn a_cell_is_used(federation: &Federation) {
    let hub = federation.kubectl(0);
    hub.run(&["create", "namespace", "bank"]);
    federation.fedctl(&["enable", "configmaps"]);
    federation.fedctl(&["cell", "create", "rz07a", "--cluster", "m1", "-n", "bank"]);
    hub.namespace("bank").apply(&federated_config_map());
    let in_member = federation.member.kubectl().namespace("bank-rz07a");
    eventually("the object is in the member", || {
        in_member.try_get("configmap", "color").map(drop)
    });
    let file = federation.path("all.kubeconfig");
    federation.fedctl(&["kubeconfig", "--file", &file.display().to_string()]);
    let through = Kubectl::new(
        federation.tools.kubectl(),
        &file,
        &federation.path("cache-all"),
    );
    let cell = |arguments: &[&str]| {
        let all: Vec<&str> = ["--context", "rz07a", "-n", "bank-rz07a"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        through.output(&all)
    };
    let color = cell(&["get", "configmap", "color", "-o", "jsonpath={.data.color}"]);
    assert_eq!(color, "blue");
    cell(&["create", "configmap", "mine", "--from-literal=a=b"]);
    assert_eq!(in_member.get("configmap", "mine")["data"]["a"], "b");
}

/// A watch through the hub that goes on in the background.
fn watch(federation: &Federation, name: &str) -> (Guarded, PathBuf) {
    let out = federation.path(name);
    let mut command = federation.kubectl(0).command(&[
        "get",
        "--raw",
        "/apis/koinon.io/v1alpha1/clusters/m1/proxy/api/v1/namespaces?watch=true",
    ]);
    let file = File::create(&out).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    let process = Guarded::start(&mut command, federation.directory.path()).unwrap();
    within(SOON, "the watch has begun", || {
        let text = fs::read_to_string(&out).unwrap();
        if text.contains("ADDED") {
            Ok(())
        } else {
            Err(text)
        }
    });
    (process, out)
}

fn events(federation: &Federation, reason: &str) {
    within(SOON, "an event tells", || {
        let field = format!("reason={reason}");
        let told = federation.kubectl(0).attempt(&[
            "get",
            "events",
            "--field-selector",
            &field,
            "-o",
            "name",
        ])?;
        if told.is_empty() {
            Err(reason.to_owned())
        } else {
            Ok(())
        }
    });
}

#[test]
fn a_member_that_only_its_agent_reaches() {
    if our_program("proxy-agent").is_none() {
        return skip("proxy-agent is not built: cargo build --workspace --all-targets");
    }
    let Some(federation) = Federation::start(None) else {
        return;
    };
    let handed = federation.join("m1");
    federation.is_down_or_waiting("m1");
    let mut agent = federation.agent(&handed, "agent", &[]);
    federation.is_ready("m1");
    a_cell_is_used(&federation);

    // The agent goes without a goodbye, and comes back with what it kept: its token is spent.
    agent.process.kill_9().unwrap();
    federation.is_down("m1");
    events(&federation, "TunnelDown");
    let proxied = [
        "get",
        "--raw",
        "/apis/koinon.io/v1alpha1/clusters/m1/proxy/version",
    ];
    let why = federation.kubectl(0).complaint(&proxied);
    assert!(why.contains("no agent of cluster m1 is connected"), "{why}");
    let back = federation.agent(&handed, "agent", &[]);
    within(SOON, "the cluster is ready again", || {
        federation.ready(0, "m1")
    });
    events(&federation, "TunnelUp");
    federation.kubectl(0).run(&proxied);

    strangers_are_refused(&federation, &handed);

    // Who is deleted is cut off at once, and does not come back under the old name.
    let (mut watching, out) = watch(&federation, "watch");
    federation
        .kubectl(0)
        .run(&["delete", "kubefedcluster", "m1"]);
    within(SOON, "the watch is cut", || {
        match watching.ended().unwrap() {
            Some(_) => Ok(()),
            None => Err(fs::read_to_string(&out).unwrap()),
        }
    });
    back.is_refused("unknown-cluster");
    // Registered anew it is another cluster: what the agent has kept is refused, and the new token makes up for it. A new process: the old one
    // may wait for a minute.
    drop(back);
    let handed = federation.join("m1");
    let anew = federation.agent(&handed, "agent", &[]);
    anew.is_refused("other-uid");
    federation.is_ready("m1");
}

fn strangers_are_refused(federation: &Federation, handed: &Handed) {
    let thief = federation.agent(handed, "thief", &[]);
    thief.is_refused("used-token");
    let token = fs::read_to_string(handed.bootstrap.join("token")).unwrap();
    let (id, secret) = token.split_once('.').unwrap();
    let guess: String = secret.chars().rev().collect();
    let flag = format!("--bootstrap-token={id}.{guess}");
    let guesser = federation.agent(handed, "guesser", &[&flag]);
    guesser.is_refused("unknown-token");
    let line = federation.fedctl(&[
        "join",
        "m2",
        "--tunnel",
        "--agent",
        "command",
        "--token-life",
        "1s",
    ]);
    let (_, rest) = line.split_once("KOINON_BOOTSTRAP_TOKEN=").unwrap();
    let late = format!("--bootstrap-token={}", rest.split(' ').next().unwrap());
    std::thread::sleep(Duration::from_secs(2));
    let late = federation.agent(handed, "late", &[&late]);
    late.is_refused("expired-token");
    // The agent's own certificate, and another cluster's name.
    fs::create_dir(federation.path("greedy")).unwrap();
    let identity = federation.path("agent").join("identity.pem");
    fs::copy(identity, federation.path("greedy").join("identity.pem")).unwrap();
    let greedy = federation.agent(handed, "greedy", &["--cluster=m2"]);
    greedy.is_refused("foreign-cluster");
    assert!(federation.ready(0, "m2").is_err());
    let tunnels =
        federation
            .kubectl(0)
            .output(&["get", "--raw", "/apis/koinon.io/v1alpha1/tunnels"]);
    let tunnels: Value = serde_json::from_str(&tunnels).unwrap();
    assert_eq!(tunnels["items"].as_array().unwrap().len(), 1, "{tunnels}");
    assert_eq!(tunnels["items"][0]["status"]["agents"], 1, "{tunnels}");
    let metrics = federation.kubectl(0).output(&["get", "--raw", "/metrics"]);
    for reason in [
        "used-token",
        "unknown-token",
        "expired-token",
        "foreign-cluster",
    ] {
        let line = format!("koinon_tunnel_refusals_total{{reason=\"{reason}\"}} ");
        let count = metrics
            .lines()
            .find_map(|metric| metric.strip_prefix(&line));
        assert!(
            count.is_some_and(|count| count != "0"),
            "{reason}: {metrics}"
        );
    }
    assert!(
        metrics.contains("\nkoinon_tunnel_clusters 1\n"),
        "{metrics}"
    );
}

impl Federation {
    /// Registered, and nothing else: the hub has no account yet.
    fn is_down_or_waiting(&self, cluster: &str) {
        within(SOON, "the cluster waits for its agent", || {
            match self.ready(0, cluster) {
                Err(status) if status.contains("secret") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }
}

#[test]
fn two_hubs_share_their_agents() {
    if our_program("proxy-agent").is_none() {
        return skip("proxy-agent is not built: cargo build --workspace --all-targets");
    }
    let Some(mut federation) = Federation::start(Some(Engine::Postgres)) else {
        return;
    };
    let handed = federation.join("m1");
    // The agent knows only the second hub; the controller and its users only the first.
    let second = format!("--hub=127.0.0.1:{}", federation.tunnels[1]);
    let mut agent = federation.agent(&handed, "agent", &[&second]);
    federation.is_ready("m1");
    for hub in [0, 1] {
        let proxied = [
            "get",
            "--raw",
            "/apis/koinon.io/v1alpha1/clusters/m1/proxy/version",
        ];
        within(SOON, "the proxy leads there", || {
            federation.kubectl(hub).attempt(&proxied)
        });
    }
    a_cell_is_used(&federation);
    let (_watching, out) = watch(&federation, "watch");
    federation
        .member
        .kubectl()
        .run(&["create", "namespace", "seen"]);
    within(SOON, "the watch tells", || {
        let text = fs::read_to_string(&out).unwrap();
        if text.contains("\"seen\"") {
            Ok(())
        } else {
            Err(text)
        }
    });

    // The hub that has the agent dies: the other one knows, and is told when it is back.
    federation.hubs[1].kill_9();
    federation.is_down("m1");
    federation.hubs[1].start();
    federation.is_ready("m1");

    // An agent that knows both loses nothing when one dies.
    agent.process.kill_9().unwrap();
    federation.is_down("m1");
    let first = format!("--hub=127.0.0.1:{}", federation.tunnels[0]);
    let _agent = federation.agent(&handed, "agent", &[&first, &second]);
    federation.is_ready("m1");
    federation.hubs[1].kill_9();
    std::thread::sleep(Duration::from_secs(3));
    federation.ready(0, "m1").unwrap();
    federation.kubectl(0).run(&[
        "get",
        "--raw",
        "/apis/koinon.io/v1alpha1/clusters/m1/proxy/version",
    ]);
}
