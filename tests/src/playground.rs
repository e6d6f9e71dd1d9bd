//! `fedctl playground` on a directory of its own.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::contexts::checked;
use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::logs::last_lines;
use crate::tools::{Tools, repository};
use crate::upstream::ControlPlane;
use crate::wait::within;

/// The workspace group that the playground makes.
const WORKSPACE_GROUP: &str = "bank-prod";
/// Generous: a debug build on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running playground. Ends when it is dropped or when this process ends.
#[derive(Debug)]
pub struct Playground {
    tools: Tools,
    process: Option<Guarded>,
    directory: TempDir,
}

impl Playground {
    /// Starts one on a new directory and waits until it says `ready`. `None`: a tool is missing and the test is to be skipped.
    ///
    /// # Panics
    /// It does not get ready.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut playground = Self::prepare()?;
        playground.restart();
        Some(playground)
    }

    /// A new directory on which nothing was started yet. `None`: a tool is missing and the test is to be skipped.
    ///
    /// # Panics
    /// There is no place for temporary files.
    #[must_use]
    pub fn prepare() -> Option<Self> {
        let tools = Tools::find()?;
        let directory = tempfile::Builder::new()
            .prefix("koinon-e2e-")
            .tempdir()
            .expect("a temporary directory");
        let playground = Self {
            tools,
            process: None,
            directory,
        };
        playground.make_commands();
        Some(playground)
    }

    /// Starts it again on the same directory, after [`Playground::kill_9`] or [`Playground::stop`], and waits until it is ready.
    ///
    /// # Panics
    /// It does not get ready; the message holds its log.
    pub fn restart(&mut self) {
        self.begin();
        let out = self.path("stdout");
        let mut process = self.process.take().expect("just started");
        within(START, "the playground is ready", || {
            let said = fs::read_to_string(&out).unwrap_or_default();
            if said.lines().any(|line| line == "ready") {
                return Ok(());
            }
            let ended = process.ended().expect("a child of ours");
            let complaint = format!("ended: {ended:?}\n{said}\n{}", self.log());
            assert!(ended.is_none(), "the playground {complaint}");
            Err(complaint)
        });
        self.process = Some(process);
    }

    /// As [`Playground::restart`], without waiting.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn begin(&mut self) {
        drop(self.process.take());
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("stderr"))
            .expect("a log");
        let mut command = Command::new(self.tools.fedctl());
        command
            .args(["playground", "--no-tui", "--data-dir"])
            .arg(self.path("data"))
            .current_dir(self.directory.path())
            .stdout(File::create(self.path("stdout")).expect("a file for its output"))
            .stderr(log);
        let process = Guarded::start(&mut command, self.directory.path()).expect("fedctl starts");
        self.process = Some(process);
    }

    /// Kills it between two instructions.
    ///
    /// # Panics
    /// It is not running.
    pub fn kill_9(&mut self) {
        let mut process = self.process.take().expect("a running playground");
        process.kill_9().expect("a child of ours");
    }

    /// Ends it as Ctrl-C does, and returns whether it ended with success.
    ///
    /// # Panics
    /// It is not running.
    pub fn stop(&mut self) -> bool {
        let mut process = self.process.take().expect("a running playground");
        process.stop().expect("a child of ours").success()
    }

    /// The last lines that it logged: warnings and errors, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        last_lines(&self.path("stderr"), 40)
    }

    /// kubectl for the hub, in the namespace `bank-prod`.
    #[must_use]
    pub fn hub(&self) -> Kubectl {
        self.kubectl(&self.kubeconfig()).namespace(WORKSPACE_GROUP)
    }

    /// kubectl for a member (`hz-1`, `sh-1`).
    #[must_use]
    pub fn member(&self, name: &str) -> Kubectl {
        self.kubectl(&self.member_kubeconfig(name))
    }

    /// kubectl for the member of a cell (`rz00a`, `rz00b`, `rz01a`), in the cell's namespace.
    #[must_use]
    pub fn cell(&self, cell: &str) -> Kubectl {
        let member = if cell == "rz01a" { "sh-1" } else { "hz-1" };
        self.member(member)
            .namespace(&format!("{WORKSPACE_GROUP}-{cell}"))
    }

    /// kubectl for any server.
    #[must_use]
    pub fn kubectl(&self, kubeconfig: &Path) -> Kubectl {
        Kubectl::new(self.tools.kubectl(), kubeconfig, &self.path("kube-cache"))
    }

    /// Runs fedctl against the hub.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn fedctl(&self, arguments: &[&str]) -> Output {
        Command::new(self.tools.fedctl())
            .args(arguments)
            .current_dir(repository())
            .env("KUBECONFIG", self.kubeconfig())
            .output()
            .expect("fedctl starts")
    }

    /// Joins an upstream member as `up-1`, for the tenant and the workspace group of `bank-prod`, with more flags.
    ///
    /// # Panics
    /// `fedctl` fails.
    pub fn join_upstream(&self, plane: &ControlPlane, flags: &[&str]) {
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
        let arguments = [&join[..], flags].concat();
        checked(&self.fedctl(&arguments), &arguments);
    }

    /// The programs in use.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The administrator's kubeconfig of the hub.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("data").join("kubeconfig")
    }

    /// The administrator's kubeconfig of a member.
    #[must_use]
    pub fn member_kubeconfig(&self, name: &str) -> PathBuf {
        let members = self.path("data").join("members");
        members.join(format!("{name}.kubeconfig"))
    }

    /// The commands that a transcript uses: `kubectl` and `fedctl` (the hub), `hz` and `sh1` (kubectl in the members).
    #[must_use]
    pub fn commands(&self) -> PathBuf {
        self.path("bin")
    }

    /// A command line in the repository, as a person would type it after `export KUBECONFIG=…`.
    #[must_use]
    pub fn shell(&self, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(repository())
            .env("PATH", format!("{}:{path}", self.commands().display()))
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", self.path("kube-cache"))
            .env("SCRATCH", self.directory.path());
        command
    }

    fn make_commands(&self) {
        let folder = self.commands();
        fs::create_dir(&folder).expect("a folder for commands");
        let link = |target: &Path, name: &str| {
            let target = fs::canonicalize(target).expect("a program that was found");
            std::os::unix::fs::symlink(target, folder.join(name)).expect("a link");
        };
        link(&self.tools.fedctl(), "fedctl");
        link(self.tools.kubectl(), "kubectl");
        for (name, member) in [("hz", "hz-1"), ("sh1", "sh-1")] {
            let file = folder.join(name);
            let kubeconfig = self.member_kubeconfig(member);
            let text = format!(
                "#!/bin/sh\nexec kubectl --kubeconfig '{}' \"$@\"\n",
                kubeconfig.display()
            );
            fs::write(&file, text).expect("a script");
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&file, executable).expect("our own file");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
