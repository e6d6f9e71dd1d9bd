//! The hub's program with its front ends, started once for all tests, and upstream's agents as `fedctl` says how to run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use federation_tests::upstream::{Programs, free_port};
use federation_tests::{Guarded, HubProcess, Kubectl, eventually, our_program, skip};
use serde_json::Value;
use tokio::task::block_in_place;

use crate::programs::{Keys, find};

/// Long enough for a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Each test has a cluster of its own, with a socket that leads there.
const CLUSTERS: [&str; 6] = ["bulk", "stalled", "killed", "foreign", "clients", "logs"];
/// Where the printed command lines keep an agent's identity.
const STATE: &str = "/var/lib/koinon-agent";

/// The two ways in which clients ask (`--mode`), each a hub of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Connect,
    Grpc,
}

impl Mode {
    pub(crate) const BOTH: [Self; 2] = [Self::Connect, Self::Grpc];

    /// As flags say it, ours and upstream's.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Connect => "http-connect",
            Self::Grpc => "grpc",
        }
    }
}

/// A running hub.
pub(crate) struct Hub {
    process: HubProcess,
    kubectl: PathBuf,
    fedctl: PathBuf,
    /// Our agent, which gets certificates for upstream's.
    enrolls: PathBuf,
    /// Upstream's.
    agent: PathBuf,
    /// Of `--server-port` and its clients; they lie in the hub's directory.
    pub(crate) keys: Keys,
    /// Where agents connect.
    pub(crate) tunnel: u16,
    /// `--server-port`.
    pub(crate) port: u16,
}

/// The hub of this test binary for clients that ask in this way. `None`: something is not installed or built.
pub(crate) fn hub(mode: Mode) -> Option<&'static Hub> {
    static HUBS: [OnceLock<Option<Hub>>; 2] = [const { OnceLock::new() }; 2];
    block_in_place(|| {
        HUBS[mode as usize]
            .get_or_init(|| Hub::start(mode))
            .as_ref()
    })
}

fn built(name: &str) -> Option<PathBuf> {
    let found = our_program(name);
    if found.is_none() {
        skip(&format!("{name} is not built: cargo build --workspace"));
    }
    found
}

impl Hub {
    fn start(mode: Mode) -> Option<Self> {
        let kubectl = Programs::find(false)?.kubectl;
        let agent = find("konnectivity-agent")?;
        let [program, fedctl, enrolls] = [
            built("federation-apiserver")?,
            built("fedctl")?,
            built("proxy-agent")?,
        ];
        let keys = Keys::new();
        let (tunnel, port) = (free_port(), free_port());
        let mut arguments = vec![
            format!("--tunnel-listen=127.0.0.1:{tunnel}"),
            format!("--mode={}", mode.flag()),
            format!("--server-port={port}"),
            "--server-bind-address=127.0.0.1".to_owned(),
            keys.flag("server-cert", "server.crt"),
            keys.flag("server-key", "server.key"),
            keys.flag("server-ca-cert", "ca.crt"),
            "--log=info,federation_tunnel=debug".to_owned(),
        ];
        for cluster in CLUSTERS {
            let socket = keys.path(&format!("{cluster}.sock"));
            arguments.push(format!("--uds-name={cluster}={}", socket.display()));
        }
        arguments.push(keys.flag("uds-name", "any.sock"));
        let mut process = HubProcess::new(&program, keys.directory.path(), "hub", &arguments);
        process.start();
        Some(Self {
            process,
            kubectl,
            fedctl,
            enrolls,
            agent,
            keys,
            tunnel,
            port,
        })
    }

    /// The socket on which everything goes to one cluster, or, of `any`, to the cluster that the target names.
    pub(crate) fn socket(&self, cluster: &str) -> PathBuf {
        self.keys.path(&format!("{cluster}.sock"))
    }

    pub(crate) fn kubectl(&self) -> Kubectl {
        let cache = self.keys.path("cache");
        Kubectl::new(&self.kubectl, &self.process.kubeconfig(), &cache)
            .namespace("kube-federation-system")
    }

    /// How many agents of a cluster serve, as the hub tells everybody.
    pub(crate) fn agents(&self, cluster: &str) -> u64 {
        let path = "/apis/koinon.io/v1alpha1/tunnels";
        let tunnels = block_in_place(|| self.kubectl().output(&["get", "--raw", path]));
        let tunnels: Value = serde_json::from_str(&tunnels).unwrap();
        let items = tunnels["items"].as_array().unwrap();
        items
            .iter()
            .find(|tunnel| tunnel["metadata"]["name"] == cluster)
            .map_or(0, |tunnel| tunnel["status"]["agents"].as_u64().unwrap())
    }

    pub(crate) fn has_agents(&self, cluster: &str, count: u64) {
        block_in_place(|| {
            eventually("agents are connected", || {
                let agents = self.agents(cluster);
                match agents == count {
                    true => Ok(()),
                    false => Err(format!("{agents} agents\n{}", self.process.log())),
                }
            });
        });
    }

    /// Waits until agents were refused for this reason, by the hub's own count.
    pub(crate) fn has_refused(&self, reason: &str) {
        let line = format!("koinon_tunnel_refusals_total{{reason=\"{reason}\"}} ");
        block_in_place(|| {
            eventually("agents are refused", || {
                let metrics = self.kubectl().output(&["get", "--raw", "/metrics"]);
                let count = metrics
                    .lines()
                    .find_map(|metric| metric.strip_prefix(&line));
                match count.is_some_and(|count| count != "0") {
                    true => Ok(()),
                    false => Err(metrics),
                }
            });
        });
    }

    /// Registers a cluster and gets its agent's certificate, word for word as `fedctl join` says.
    pub(crate) fn join(&self, cluster: &str) -> Joined<'_> {
        let directory = self.keys.path(cluster);
        block_in_place(|| {
            // What a kubelet would mount: an account for the hub, which nobody uses here.
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("token"), "token").unwrap();
            fs::copy(self.keys.path("ca.crt"), directory.join("ca.crt")).unwrap();
            let fedctl = Command::new(&self.fedctl)
                .args(["join", cluster, "--tunnel", "--agent=konnectivity"])
                .arg("--kubeconfig")
                .arg(self.process.kubeconfig())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&fedctl.stderr);
            assert!(fedctl.status.success(), "{told}");
            let state = directory.join("state").display().to_string();
            let lines = String::from_utf8(fedctl.stdout)
                .unwrap()
                .replace(STATE, &state)
                .replace("=DIR", &format!("={}", directory.display()));
            let (certificate, agent) = lines.trim().split_once('\n').expect("two lines");
            self.shell(certificate);
            let (_token, again) = certificate.split_once(' ').unwrap();
            self.shell(again);
            Joined {
                hub: self,
                line: agent.to_owned(),
                directory,
            }
        })
    }

    fn shell(&self, line: &str) {
        let output = shell(&self.enrolls, line).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{told}");
    }
}

/// A line of a terminal in whose path a program is found.
fn shell(program: &Path, line: &str) -> Command {
    let folder = program.parent().unwrap().display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .env("PATH", format!("{folder}:{path}"))
        .env_remove("HTTPS_PROXY");
    command
}

/// A cluster whose agent has its certificate.
pub(crate) struct Joined<'a> {
    hub: &'a Hub,
    line: String,
    directory: PathBuf,
}

impl Joined<'_> {
    /// File of the authority that vouches for the hub.
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.join("state/authorities.pem")
    }

    /// Starts upstream's agent, as the line says, and in less time. Flags come last and win.
    pub(crate) fn start(&self, flags: &[String]) -> UpstreamAgent {
        let line = format!(
            "exec {} --health-server-port={} --admin-server-port={} --sync-interval=100ms --sync-interval-cap=500ms \
             --probe-interval=200ms --v=2 {}",
            self.line,
            free_port(),
            free_port(),
            flags.join(" ")
        );
        let log = fs::File::create(self.directory.join("agent.log")).unwrap();
        let mut command = shell(&self.hub.agent, &line);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        UpstreamAgent(Guarded::start(&mut command, &self.directory).unwrap())
    }
}

/// A running agent of upstream's. It is killed at its end: asked to stop, it waits for a long time.
pub(crate) struct UpstreamAgent(Guarded);

impl UpstreamAgent {
    pub(crate) fn kill_9(&mut self) {
        self.0.kill_9().unwrap();
    }
}

impl Drop for UpstreamAgent {
    fn drop(&mut self) {
        self.kill_9();
    }
}
