//! `fedctl up`: a hub with its controller that starts, serves, ends when asked, and goes on where it was.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A running `fedctl up`, ended at the latest when it is dropped.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Up {
    /// Starts it and waits until it says `ready`; gives the lines before that, too.
    fn start(directory: &Path) -> (Self, Vec<String>) {
        let child = Command::new(env!("CARGO_BIN_EXE_fedctl"))
            .args(["up", "--data-dir"])
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = Self(child);
        let out = up.0.stdout.take().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(out).lines() {
            let line = line.unwrap();
            if line == "ready" {
                return (up, said);
            }
            said.push(line);
        }
        let mut log = String::new();
        up.0.stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        panic!("fedctl up ended: {said:?}\n{log}");
    }

    /// Ends it as a service manager does; gives whether it ended with success.
    fn stop(mut self) -> bool {
        let id = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        asked.success() && self.0.wait().unwrap().success()
    }
}

fn fedctl(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fedctl"))
        .args(arguments)
        .arg("--kubeconfig")
        .arg(directory.join("kubeconfig"))
        .output()
        .unwrap()
}

#[test]
fn up_serves_a_hub_that_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let (up, said) = Up::start(&data);
    let url = said
        .iter()
        .find_map(|line| Some(line.split_once("hub serves ")?.1))
        .unwrap_or_else(|| panic!("no address in {said:?}"))
        .to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");

    let empty = fedctl(&data, &["cell", "list", "-n", "default"]);
    assert!(empty.status.success(), "{empty:?}");
    let nobody = fedctl(&data, &["enable", "configmaps"]);
    let why = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(
        !nobody.status.success() && why.contains("fedctl join"),
        "{why}"
    );

    // The hub may be its own member; then its controller reaches it like any other.
    let kubeconfig = data.join("kubeconfig");
    let joined = fedctl(
        &data,
        &[
            "join",
            "self",
            "--cluster-kubeconfig",
            &kubeconfig.to_string_lossy(),
        ],
    );
    assert!(joined.status.success(), "{joined:?}");

    let twice = Command::new(env!("CARGO_BIN_EXE_fedctl"))
        .args(["up", "--data-dir"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(!twice.status.success(), "{twice:?}");

    assert!(up.stop(), "it ends with success when asked");
    let (up, said) = Up::start(&data);
    let kept = format!("hub serves {url}");
    assert!(said.iter().any(|line| line.ends_with(&kept)), "{said:?}");
    let again = fedctl(
        &data,
        &[
            "join",
            "self",
            "--cluster-kubeconfig",
            &kubeconfig.to_string_lossy(),
        ],
    );
    let why = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(why.contains("already has a cluster \"self\""), "{why}");
    assert!(up.stop());
}
