//! `federation-apiserver serve`, which can be killed and brought back on the same address.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::guarded::Guarded;
use crate::upstream::free_port;
use crate::wait::within;

/// A debug build on a busy machine.
const START: Duration = Duration::from_secs(90);
/// The line of the log that says that it serves.
const READY: &str = "the hub is ready";

/// A hub in a directory that several may share: certificates and keys are in its folder `data`.
#[derive(Debug)]
pub struct HubProcess {
    program: PathBuf,
    directory: PathBuf,
    name: String,
    port: u16,
    arguments: Vec<String>,
    process: Option<Guarded>,
    /// How much of the log there was when it was started.
    told: usize,
}

impl HubProcess {
    /// One that is yet to be started, with further arguments for `serve`.
    #[must_use]
    pub fn new(program: &Path, directory: &Path, name: &str, arguments: &[String]) -> Self {
        Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            name: name.to_owned(),
            port: free_port(),
            arguments: arguments.to_vec(),
            process: None,
            told: 0,
        }
    }

    /// The command line `federation-apiserver <subcommand> …` with its settings.
    #[must_use]
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(subcommand)
            .arg("--data-dir")
            .arg(self.directory.join("data"))
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg(format!("--listen=127.0.0.1:{}", self.port))
            .args(&self.arguments);
        command
    }

    /// Starts it, and does not wait.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn begin(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("a log");
        self.told = self.log().len();
        let both = log.try_clone().expect("a second handle of the log");
        let mut command = self.command("serve");
        command.stdout(log).stderr(both);
        let process = Guarded::start(&mut command, &self.directory);
        self.process = Some(process.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// It ends, or is not ready in time.
    pub fn start(&mut self) {
        self.begin();
        within(START, "the hub is ready", || {
            let ended = self.ended();
            assert!(ended.is_none(), "{} ended: {ended:?}", self.name);
            self.is_ready()
                .then_some(())
                .ok_or_else(|| self.log_since_start())
        });
    }

    /// Whether it has told, since it was started last, that it is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.process.is_some() && self.log_since_start().contains(READY)
    }

    /// The last of its log, if it is running no more though nobody has stopped it.
    ///
    /// # Panics
    /// The system does not say.
    pub fn ended(&mut self) -> Option<String> {
        let ended = self.process.as_mut()?.ended().expect("a child of ours")?;
        Some(format!("{ended}\n{}", self.log_since_start()))
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// The system refuses.
    pub fn kill_9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill_9().expect("a child of ours");
        }
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Panics
    /// The system refuses.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop().expect("a child of ours");
        }
    }

    /// Sends it a signal, such as `STOP` and `CONT`, if it runs.
    ///
    /// # Panics
    /// There is no `kill`.
    pub fn signal(&self, signal: &str) {
        if let Some(process) = &self.process {
            let pid = process.id().to_string();
            let sent = Command::new("kill").args(["-s", signal, &pid]).status();
            sent.expect("kill can be started");
        }
    }

    /// Its administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join(format!("{}.kubeconfig", self.name))
    }

    /// A connection as its administrator. It must have been ready once.
    ///
    /// # Panics
    /// There is no kubeconfig.
    pub async fn endpoint(&self) -> Endpoint {
        Endpoint::connect(&self.kubeconfig())
            .await
            .expect("a kubeconfig that the hub has written")
    }

    /// Where its log is.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.name))
    }

    /// All that it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has logged since it was started last.
    #[must_use]
    pub fn log_since_start(&self) -> String {
        self.log().get(self.told..).unwrap_or_default().to_owned()
    }
}
