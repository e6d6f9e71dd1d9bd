//! An upstream cluster that is the hub and its own member, with as many webhooks and controllers as a test starts.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use federation_tests::upstream::{ControlPlane, Options, free_port};
use federation_tests::{Guarded, Kubectl, Tools, eventually};
use serde_json::Value;

use crate::balancer::{Balancer, is_ready};

/// Where `fedctl init` puts everything.
pub(crate) const SYSTEM: &str = "kube-federation-system";
/// The workspace group of the tests.
pub(crate) const GROUP: &str = "bank-prod";

/// An installation. Everything ends when it is dropped.
pub(crate) struct AddOn {
    pub(crate) balancer: Balancer,
    pub(crate) plane: ControlPlane,
    tools: Tools,
    started: AtomicUsize,
}

/// One process of a webhook or a controller.
pub(crate) struct Replica {
    process: Guarded,
    pub(crate) health: SocketAddr,
    log: PathBuf,
}

impl AddOn {
    /// A cluster on which nothing is installed. `None`: a tool is missing.
    pub(crate) fn prepare() -> Option<Self> {
        let tools = Tools::find()?;
        Some(Self {
            plane: ControlPlane::start(Options::with_controllers())?,
            balancer: Balancer::start(),
            tools,
            started: AtomicUsize::new(0),
        })
    }

    /// A cluster on which `fedctl init` ran; no webhook and no controller yet. `None`: a tool is missing.
    pub(crate) fn install() -> Option<Self> {
        let add_on = Self::prepare()?;
        add_on.init(&[]);
        Some(add_on)
    }

    /// With so many webhooks and controllers, and ready.
    pub(crate) fn start(
        webhooks: usize,
        controllers: usize,
    ) -> Option<(Self, Vec<Replica>, Vec<Replica>)> {
        let add_on = Self::install()?;
        let webhooks = (0..webhooks).map(|_| add_on.webhook(&[])).collect();
        let controllers = (0..controllers).map(|_| add_on.controller()).collect();
        add_on.init(&["--wait", "--timeout", "60"]);
        Some((add_on, webhooks, controllers))
    }

    /// `fedctl init` for programs behind the balancer.
    pub(crate) fn init(&self, more: &[&str]) -> String {
        let url = self.balancer.url();
        self.fedctl(&[&["init", "--external-webhook-url", &url], more].concat())
    }

    /// Runs fedctl as the administrator; it must succeed.
    pub(crate) fn fedctl(&self, arguments: &[&str]) -> String {
        match self.try_fedctl(arguments) {
            Ok(output) => output,
            Err(complaint) => panic!("fedctl {}: {complaint}", arguments.join(" ")),
        }
    }

    /// Runs fedctl as the administrator. Its standard output, or what it complained.
    pub(crate) fn try_fedctl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(self.tools.fedctl())
            .args(arguments)
            .env("KUBECONFIG", self.plane.kubeconfig())
            .output()
            .expect("fedctl starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    /// kubectl as the administrator, in the workspace group.
    pub(crate) fn kubectl(&self) -> Kubectl {
        self.plane.kubectl().namespace(GROUP)
    }

    /// Starts a webhook with its service account, waits until it is ready, and lets it have connections.
    pub(crate) fn webhook(&self, more: &[&str]) -> Replica {
        let (address, health) = (loopback(), loopback());
        let (address_text, health_text) = (address.to_string(), health.to_string());
        let mut command = self.program("federation-apiserver", "koinon-webhook");
        command
            .args([
                "webhook",
                "--listen",
                &address_text,
                "--health-listen",
                &health_text,
            ])
            .args(["--shutdown-delay-seconds", "2"])
            .args(more);
        let replica = self.replica(command, health);
        self.balancer.add(address, health);
        replica
    }

    /// Starts a controller with its service account.
    pub(crate) fn controller(&self) -> Replica {
        let (health, metrics) = (loopback(), loopback());
        let mut command = self.program("federation-controller", "koinon-controller");
        command
            .args(["--healthz-addr", &health.to_string()])
            .args(["--metrics-addr", &metrics.to_string()])
            .args(["--conversion-webhook-url", &self.balancer.url()]);
        self.replica(command, health)
    }

    /// Joins the cluster to itself as `hz-1`, and makes the workspace group with the cell `rz00a`, and federates ConfigMaps.
    pub(crate) fn join_itself(&self) {
        let kubeconfig = self.plane.kubeconfig().display().to_string();
        self.fedctl(&["join", "hz-1", "--cluster-kubeconfig", &kubeconfig]);
        let kubectl = self.kubectl();
        kubectl.run(&["create", "namespace", GROUP]);
        kubectl.run(&[
            "wait",
            "--for=condition=Ready",
            "kubefedcluster/hz-1",
            "-n",
            SYSTEM,
            "--timeout=60s",
        ]);
        self.fedctl(&["enable", "configmaps"]);
        self.fedctl(&["cell", "create", "rz00a", "--cluster", "hz-1", "-n", GROUP]);
        kubectl.run(&[
            "wait",
            "--for=condition=Ready",
            "cell/rz00a",
            "--timeout=60s",
        ]);
        eventually("federated ConfigMaps are served in v1", || {
            kubectl.attempt(&["get", "federatedconfigmaps.v1.types.kubefed.io"])
        });
    }

    /// What the member holds of a federated ConfigMap that is placed in the cell.
    pub(crate) fn in_cell(&self, name: &str) -> Result<Value, String> {
        let cell = self.plane.kubectl().namespace(&format!("{GROUP}-rz00a"));
        cell.try_get("configmap", name)
    }

    /// A program with a service account, as it would be in a Pod.
    pub(crate) fn program(&self, program: &str, account: &str) -> Command {
        let program = self.tools.fedctl().with_file_name(program);
        let kubeconfig = self.account_kubeconfig(account);
        let mut command = Command::new(program);
        command.env("KUBECONFIG", kubeconfig);
        command
    }

    /// A kubeconfig with a token of a service account, as a Pod has one.
    fn account_kubeconfig(&self, account: &str) -> PathBuf {
        let file = self.plane.directory().join(format!("{account}.kubeconfig"));
        std::fs::write(&file, self.plane.kubeconfig_of_account(SYSTEM, account)).unwrap();
        file
    }

    fn replica(&self, mut command: Command, health: SocketAddr) -> Replica {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.plane.directory().join(format!("replica-{number}.log"));
        let file = File::create(&log).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let process = Guarded::start(&mut command, self.plane.directory()).expect("it starts");
        let mut replica = Replica {
            process,
            health,
            log,
        };
        eventually("the program is ready", || replica.check());
        replica
    }
}

impl Replica {
    fn check(&mut self) -> Result<(), String> {
        let ended = self.process.ended().expect("a child of ours");
        assert!(ended.is_none(), "ended: {ended:?}\n{}", self.log());
        match is_ready(self.health) {
            true => Ok(()),
            false => Err(self.log()),
        }
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM, and waits; it must end well.
    pub(crate) fn stop(mut self) {
        let status = self.process.stop().expect("a child of ours");
        assert!(status.success(), "{status}\n{}", self.log());
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}
