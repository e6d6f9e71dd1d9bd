//! A hub of its own processes: ours, or the add-on form on an upstream cluster.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use apiserver_store::conformance::databases::DatabaseServer;
use tempfile::TempDir;

use super::column::{Database, HubKind};
use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::logs::last_of_each;
use crate::tools::Tools;
use crate::upstream::{ControlPlane, Options, free_port};
use crate::wait::within;

/// A debug build on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Where `fedctl init` puts everything.
const SYSTEM: &str = "kube-federation-system";

/// A running hub with its controller.
#[derive(Debug)]
pub struct Hub {
    tools: Tools,
    controller: Option<Guarded>,
    /// `federation-apiserver`, as server or as webhook.
    apiserver: Option<Guarded>,
    /// The host of the add-on form.
    host: Option<ControlPlane>,
    /// Where our own form keeps its objects, if not in its directory.
    database: Option<DatabaseServer>,
    port: u16,
    /// More flags for `federation-apiserver serve`.
    flags: Vec<String>,
    directory: TempDir,
}

impl Hub {
    /// Starts `federation-apiserver serve`, or an upstream control plane with `fedctl init` and `federation-apiserver webhook`, and waits
    /// until it is ready. It has no controller yet. `None`: an upstream program or a database server is missing.
    ///
    /// # Panics
    /// It does not get ready.
    #[must_use]
    pub fn start(tools: &Tools, kind: HubKind) -> Option<Self> {
        Self::start_with(tools, kind, &[])
    }

    /// The same, with more flags for `federation-apiserver serve`.
    ///
    /// # Panics
    /// As [`Hub::start`].
    #[must_use]
    pub fn start_with(tools: &Tools, kind: HubKind, flags: &[&str]) -> Option<Self> {
        let directory = tempfile::Builder::new()
            .prefix("koinon-e2e-hub-")
            .tempdir()
            .expect("a temporary directory");
        let (host, database) = match kind {
            HubKind::Ours(Database::Sqlite) => (None, None),
            HubKind::Ours(Database::Server(engine)) => {
                (None, Some(DatabaseServer::start(engine, false)?))
            }
            HubKind::Upstream => {
                let host = ControlPlane::start(Options::with_controllers())?;
                (Some(host), None)
            }
        };
        let mut hub = Self {
            tools: tools.clone(),
            controller: None,
            apiserver: None,
            host,
            database,
            port: free_port(),
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            directory,
        };
        match kind {
            HubKind::Ours(_) => hub.start_apiserver(),
            HubKind::Upstream => hub.install(),
        }
        Some(hub)
    }

    fn start_apiserver(&mut self) {
        let mut command = Command::new(self.tools.binary("federation-apiserver"));
        command
            .args(["serve", "--log=warn", "--data-dir"])
            .arg(self.path("data"))
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg(format!("--listen=127.0.0.1:{}", self.port))
            .args(&self.flags);
        if let Some(database) = &self.database {
            command.args(["--database-url", &database.create_database()]);
        }
        let mut process = self.spawn("federation-apiserver", &mut command);
        let kubectl = self.kubectl();
        within(START, "the hub is ready", || {
            let ended = process.ended().expect("a child of ours");
            assert!(ended.is_none(), "the hub ended: {ended:?}\n{}", self.log());
            kubectl.attempt(&["get", "--raw", "/readyz"])
        });
        self.apiserver = Some(process);
    }

    /// Kills `federation-apiserver` between two instructions, and leaves the controller alone.
    ///
    /// # Panics
    /// It is not running.
    pub fn kill_9(&mut self) {
        let mut apiserver = self.apiserver.take().expect("a running hub");
        apiserver.kill_9().expect("a child of ours");
    }

    /// Starts `federation-apiserver serve` again on the same address and the same SQLite database, and waits until it is ready.
    ///
    /// # Panics
    /// It does not get ready.
    pub fn restart(&mut self) {
        self.start_apiserver();
    }

    fn install(&mut self) {
        self.init(&[]);
        let mut command = self.with_account("federation-apiserver", "koinon-webhook");
        command
            .args(["webhook", "--health-listen=127.0.0.1:0"])
            .arg(format!("--listen=127.0.0.1:{}", self.port));
        self.apiserver = Some(self.spawn("federation-apiserver", &mut command));
    }

    /// Starts `federation-controller`; in the add-on form, waits until webhook and controller work.
    ///
    /// # Panics
    /// It cannot be started or does not get ready.
    pub fn start_controller(&mut self) {
        let mut command = match self.host {
            Some(_) => {
                let mut command = self.with_account("federation-controller", "koinon-controller");
                command.args(["--conversion-webhook-url", &self.webhook_url()]);
                command
            }
            None => {
                let mut command = Command::new(self.tools.binary("federation-controller"));
                command.arg("--kubeconfig").arg(self.kubeconfig());
                command
            }
        };
        command
            .env("RUST_LOG", "info,kube_client=error")
            .args(["--healthz-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"]);
        self.controller = Some(self.spawn("federation-controller", &mut command));
        if self.host.is_some() {
            self.init(&["--wait", "--timeout", "60"]);
        }
    }

    /// `fedctl init` for programs that run outside the cluster.
    fn init(&self, more: &[&str]) {
        let output = Command::new(self.tools.fedctl())
            .args(["init", "--external-webhook-url", &self.webhook_url()])
            .args(more)
            .env("KUBECONFIG", self.kubeconfig())
            .output()
            .expect("fedctl starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "fedctl init: {complaint}\n{}",
            self.log()
        );
    }

    /// One of our programs with a token of its service account, as a Pod has one.
    fn with_account(&self, program: &str, account: &str) -> Command {
        let host = self.host.as_ref().expect("accounts are in the host");
        let file = self.path(&format!("{account}.kubeconfig"));
        fs::write(&file, host.kubeconfig_of_account(SYSTEM, account)).expect("a file of our own");
        let mut command = Command::new(self.tools.binary(program));
        command.env("KUBECONFIG", file);
        command
    }

    fn webhook_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        match &self.host {
            Some(host) => host.kubeconfig(),
            None => self.path("kubeconfig"),
        }
    }

    /// kubectl for its administrator.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        let cache = self.path("kube-cache");
        Kubectl::new(self.tools.kubectl(), &self.kubeconfig(), &cache)
    }

    /// Its directory, which goes with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The last lines that its programs logged.
    #[must_use]
    pub fn log(&self) -> String {
        last_of_each(
            self.directory(),
            ["federation-apiserver", "federation-controller"],
            30,
        )
    }

    fn spawn(&self, name: &str, command: &mut Command) -> Guarded {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(&format!("{name}.log")))
            .expect("a log");
        let both = log.try_clone().expect("a second handle of the log");
        command.stdout(log).stderr(both);
        Guarded::start(command, self.directory.path())
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
