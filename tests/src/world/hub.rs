//! A hub of its own processes.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::tools::Tools;
use crate::upstream::free_port;
use crate::wait::within;

/// A debug build on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running hub with its controller.
#[derive(Debug)]
pub struct Hub {
    tools: Tools,
    controller: Option<Guarded>,
    apiserver: Option<Guarded>,
    port: u16,
    directory: TempDir,
}

impl Hub {
    /// Starts `federation-apiserver serve` and waits until it is ready. It has no controller yet.
    ///
    /// # Panics
    /// It does not get ready.
    #[must_use]
    pub fn start(tools: &Tools) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("koinon-e2e-hub-")
            .tempdir()
            .expect("a temporary directory");
        let mut hub = Self {
            tools: tools.clone(),
            controller: None,
            apiserver: None,
            port: free_port(),
            directory,
        };
        hub.start_apiserver();
        hub
    }

    fn start_apiserver(&mut self) {
        let mut command = Command::new(self.tools.binary("federation-apiserver"));
        command
            .args(["serve", "--log=warn", "--data-dir"])
            .arg(self.path("data"))
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg(format!("--listen=127.0.0.1:{}", self.port));
        let mut process = self.spawn("federation-apiserver", &mut command);
        let kubectl = self.kubectl();
        within(START, "the hub is ready", || {
            let ended = process.ended().expect("a child of ours");
            assert!(ended.is_none(), "the hub ended: {ended:?}\n{}", self.log());
            kubectl.attempt(&["get", "--raw", "/readyz"])
        });
        self.apiserver = Some(process);
    }

    /// Starts `federation-controller`.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start_controller(&mut self) {
        let mut command = Command::new(self.tools.binary("federation-controller"));
        command
            .env("RUST_LOG", "info,kube_client=error")
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(["--healthz-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"]);
        self.controller = Some(self.spawn("federation-controller", &mut command));
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
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
        let tail = |program: &str| {
            let log = fs::read_to_string(self.path(&format!("{program}.log"))).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(30)..].join("\n");
            format!("--- {program}\n{last}\n")
        };
        ["federation-apiserver", "federation-controller"]
            .map(tail)
            .concat()
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
