//! A server's process: as whom it runs, how it is killed, started again, and cleaned up after.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::ServerOptions;

/// Between two looks at whether a server is up.
const PAUSE: Duration = Duration::from_millis(50);
/// A server that is not up after so many looks never will be.
const LOOKS: usize = 1200;
/// The user `nobody` of Debian: servers refuse to run as root.
const NOBODY: &str = "65534";

/// How to start it, and how to see that it serves.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// A command that succeeds once the server serves.
    pub(super) probe: (PathBuf, Vec<String>),
}

#[derive(Debug)]
pub(super) struct Process {
    directory: PathBuf,
    port: u16,
    recipe: Recipe,
    child: Mutex<Option<Child>>,
    /// Waits for the end of its standard input, which comes with the end of this process at the latest.
    cleaner: Child,
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests wait for servers on threads of their own"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// An empty directory that the server's user owns.
pub(super) fn directory(engine: &str, options: &ServerOptions) -> PathBuf {
    let prefix = format!("koinon-{engine}-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    let directory = match &options.parent {
        Some(parent) => builder.tempdir_in(parent),
        None => builder.tempdir(),
    };
    let directory = directory.expect("a temporary directory can be made").keep();
    give_away(&directory);
    directory
}

/// Copies a file into a server's directory, for its user alone.
pub(super) fn copy(from: &Path, directory: &Path, name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let to = directory.join(name);
    fs::copy(from, &to).expect("a file can be copied");
    fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("our own file");
    give_away(&to);
    to
}

fn give_away(path: &Path) {
    if is_root() {
        let id = NOBODY.parse().ok();
        std::os::unix::fs::chown(path, id, id).expect("root may give files away");
    }
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("loopback has a free port")
        .port()
}

/// A command that runs as an ordinary user.
pub(super) fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(program);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs a command to its end.
pub(super) fn run(mut command: Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Process {
    /// Starts it, and waits until it serves.
    pub(super) fn start(directory: PathBuf, port: u16, recipe: Recipe) -> Self {
        let cleaner = clean_up_later(&directory);
        let process = Self {
            directory,
            port,
            recipe,
            child: Mutex::new(None),
            cleaner,
        };
        process.restart();
        process
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    pub(super) fn restart(&self) {
        self.kill();
        let mut child = self.spawn();
        for _ in 0..LOOKS {
            // What a killed server left behind may keep the next one from starting for a moment.
            if child.try_wait().expect("our own child").is_some() {
                pause();
                child = self.spawn();
            }
            let (program, arguments) = &self.recipe.probe;
            let mut probe = Command::new(program);
            probe.args(arguments).stdin(Stdio::null());
            if probe.output().is_ok_and(|output| output.status.success()) {
                let mut place = self.child.lock().unwrap_or_else(PoisonError::into_inner);
                *place = Some(child);
                return;
            }
            pause();
        }
        let _ = child.kill();
        let _ = child.wait();
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        panic!("the server does not start:\n{log}");
    }

    fn spawn(&self) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .expect("the log can be written");
        let errors = log.try_clone().expect("a file can be opened twice");
        let child = command(&self.recipe.program)
            .args(&self.recipe.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("the server can be started");
        fs::write(self.directory.join("server.pid"), child.id().to_string())
            .expect("the process number can be noted");
        child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        drop(self.cleaner.stdin.take());
        let _ = self.cleaner.wait();
    }
}

/// Starts a shell that waits for our end, kills the server and removes its directory.
fn clean_up_later(directory: &Path) -> Child {
    const SCRIPT: &str = r#"read -r line
        kill -9 $(cat "$0/server.pid")
        rm -rf "$0" || { sleep 1; rm -rf "$0"; }"#;
    Command::new("sh")
        .args(["-c", SCRIPT])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell can be started")
}
