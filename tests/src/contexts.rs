//! kubectl through the hub: a context per cluster and per cell, and what has to work in each.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Nothing that streams is silent for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// kubectl with the kubeconfig that `fedctl kubeconfig` wrote.
#[derive(Clone, Debug)]
pub struct Contexts {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    scratch: PathBuf,
}

impl Contexts {
    /// The kubeconfig is at a place of its own; other files go to `scratch`, a directory of the test's.
    #[must_use]
    pub fn new(kubectl: &Path, kubeconfig: &Path, scratch: &Path) -> Self {
        Self {
            kubectl: kubectl.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            scratch: scratch.to_owned(),
        }
    }

    /// The command as a person types it: the context alone says where.
    #[must_use]
    pub fn command(&self, context: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", self.scratch.join("proxy-cache"))
            .args(["--context", context])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn output(&self, context: &str, arguments: &[&str], input: &[u8]) -> Output {
        finish(&mut self.command(context, arguments), input)
    }

    /// Runs it; it must succeed. Returns what it printed.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn works(&self, context: &str, arguments: &[&str]) -> String {
        checked(&self.output(context, arguments, b""), arguments)
    }

    /// Runs it; it must fail. Returns what it complained.
    ///
    /// # Panics
    /// It succeeded.
    #[track_caller]
    #[must_use]
    pub fn refused(&self, context: &str, arguments: &[&str]) -> String {
        let output = self.output(context, arguments, b"");
        assert!(!output.status.success(), "{arguments:?} was not refused");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Watches see what happens, and logs of the Pod `web` come whole and as they are written.
    ///
    /// # Panics
    /// They do not.
    pub fn watches_and_logs_stream(&self, context: &str) {
        let watch = self.begin(context, &["get", "configmaps", "-w", "-o", "name"]);
        self.works(context, &["create", "configmap", "while-watching"]);
        lines_until(watch, "while-watching");
        let all = self.works(context, &["logs", "web"]);
        assert_eq!(all, "web line 1\nweb line 2\nweb line 3\n");
        let follow = self.begin(context, &["logs", "-f", "web"]);
        assert!(lines_until(follow, "line 8").len() >= 8);
    }

    /// Commands in the Pod `web` get and give bytes as they are, and their status comes back. `websockets` says whether kubectl speaks
    /// WebSocket (`true`) or SPDY (`false`).
    ///
    /// # Panics
    /// They do not.
    pub fn commands_run(&self, context: &str, websockets: &str) {
        let bytes = noise(2 * 1024 * 1024);
        let echo = ["exec", "-i", "web", "--", "cat"];
        let echo = self.remote(context, websockets, &echo, &bytes);
        let complaint = String::from_utf8_lossy(&echo.stderr);
        assert!(echo.status.success(), "{complaint}");
        assert!(
            echo.stdout == bytes,
            "{} of {} bytes came back",
            echo.stdout.len(),
            bytes.len()
        );
        let script = "echo out; echo err >&2; exit 7";
        let script = ["exec", "web", "--", "sh", "-c", script];
        let ended = self.remote(context, websockets, &script, b"");
        assert_eq!(ended.status.code(), Some(7));
        assert_eq!(ended.stdout, b"out\n");
        // kubectl reads its WebSocket before it has made its streams. What comes first is an empty message of kube-apiserver's, and on a
        // busy machine kubectl complains that it does not know the stream.
        let complaint = String::from_utf8_lossy(&ended.stderr);
        let mut said = complaint
            .lines()
            .filter(|line| !line.contains("Unknown stream id"));
        assert_eq!(said.next(), Some("err"), "{complaint}");
    }

    /// `kubectl cp` into the Pod `web`, whose files are in `container`, and back.
    ///
    /// # Panics
    /// Bytes are lost.
    pub fn files_are_copied(&self, context: &str, websockets: &str, container: &Path) {
        let bytes = noise(1024 * 1024);
        let (local, back) = (self.scratch.join("local"), self.scratch.join("back"));
        fs::write(&local, &bytes).expect("a file of our own");
        let copy = |from: &Path, to: &Path| {
            let (from, to) = (from.display().to_string(), to.display().to_string());
            let words = ["cp", &from, &to];
            checked(&self.remote(context, websockets, &words, b""), &words);
        };
        let same = |file: &Path| fs::read(file).expect("the copy") == bytes;
        copy(&local, Path::new("web:there"));
        assert!(same(&container.join("there")));
        copy(Path::new("web:there"), &back);
        assert!(same(&back));
    }

    /// `kubectl attach` to the Pod `web`.
    ///
    /// # Panics
    /// It does not work.
    pub fn something_is_attached_to(&self, context: &str) {
        let output = self.output(context, &["attach", "-i", "web"], b"hello\n");
        assert_eq!(checked(&output, &["attach"]), "attached\nhello\n");
    }

    /// Starts `kubectl port-forward` to a port of the Pod `web`. Returns it with the port that it listens on.
    ///
    /// # Panics
    /// It does not begin.
    #[must_use]
    pub fn forward(&self, context: &str, websockets: &str, to: u16) -> (Forward, u16) {
        let to = format!(":{to}");
        let mut command = self.command(context, &["port-forward", "web", &to]);
        let mut child = command
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
            .spawn()
            .expect("kubectl starts");
        let mut output = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let forward = Forward {
            child,
            _output: output,
        };
        let port = line
            .strip_prefix("Forwarding from 127.0.0.1:")
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|port| port.parse().ok());
        (forward, port.unwrap_or_else(|| panic!("{line}")))
    }

    /// Starts something that does not end by itself.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn begin(&self, context: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(context, arguments);
        command.spawn().expect("kubectl starts")
    }

    fn remote(&self, context: &str, websockets: &str, words: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(context, words);
        command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets);
        finish(&mut command, input)
    }
}

/// A running `kubectl port-forward`; dropping it ends it.
#[derive(Debug)]
pub struct Forward {
    child: Child,
    /// It has more to say, and ends when nobody is there to hear it.
    _output: BufReader<ChildStdout>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command printed; it must have succeeded.
///
/// # Panics
/// It did not.
#[track_caller]
pub fn checked(output: &Output, arguments: &[&str]) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    out
}

/// Bytes that no text filter would leave alone.
#[must_use]
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Reads lines of a command that does not end by itself until one holds `last`, then ends it.
///
/// # Panics
/// No such line comes.
pub fn lines_until(mut child: Child, last: &str) -> Vec<String> {
    let output = BufReader::new(child.stdout.take().expect("it was piped"));
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut seen = Vec::new();
    while !seen.last().is_some_and(|line: &String| line.contains(last)) {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => seen.push(line),
            Err(error) => panic!("{error}: no line with {last:?} among {seen:?}"),
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    seen
}

fn finish(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.spawn().expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("standard input was piped");
    let input = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("kubectl ends");
    // It may have ended before it read everything.
    let _ = writer.join().expect("the writer does not panic");
    output
}
