//! Encryption at rest as operators meet it: the hub's program, real kubectl, a KMS plugin, and a search through everything on the disk.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "waits for another process, in no runtime"
)]

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use kms_plugin::KeyFile;
use tempfile::TempDir;

/// Words that must not be found on a disk, and the same as a Secret holds them.
const PLAINTEXT: &str = "correct-horse-battery-staple-93";

/// A hub's program on a directory of its own, with its log there, too.
struct Hub {
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Hub {
    /// `None`: there is no kubectl, and the test is to be skipped.
    fn new() -> Option<Self> {
        if !common::kubectl_is_there() {
            return None;
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Some(Self {
            directory: tempfile::tempdir().unwrap(),
            port: listener.local_addr().unwrap().port(),
            child: None,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, subcommand: &str, config: Option<&Path>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_federation-apiserver"));
        command
            .arg(subcommand)
            .arg("--data-dir")
            .arg(self.path("data"))
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--log", "trace"]);
        if let Some(config) = config {
            command.arg("--encryption-provider-config").arg(config);
            command.arg("--encryption-provider-config-automatic-reload");
        }
        command
    }

    /// Starts it without waiting for it.
    fn spawn(&mut self, config: Option<&Path>) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("hub.log"))
            .unwrap();
        let child = self.command("serve", config).stderr(log).spawn().unwrap();
        self.child = Some(child);
    }

    /// Starts it and waits until it is ready, kubeconfig and all.
    fn start(&mut self, config: Option<&Path>) {
        self.spawn(config);
        self.until("the hub is ready", |hub| {
            hub.path("data/kubeconfig").exists() && hub.kubectl("get --raw /readyz", "").is_ok()
        });
    }

    /// Asks it to end, and waits for that.
    fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        child.wait().unwrap();
    }

    fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        for _ in 0..300 {
            if reached(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("never: {what}\n{}", self.log());
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.path("hub.log")).unwrap_or_default();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| !line.contains("TRACE") && !line.contains("DEBUG"))
            .collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn kubectl(&self, arguments: &str, stdin: &str) -> Result<String, String> {
        let mut child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.path("data/kubeconfig"))
            .arg("--cache-dir")
            .arg(self.path("cache"))
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stdout) + &text(&output.stderr)),
        }
    }

    #[track_caller]
    fn works(&self, arguments: &str, stdin: &str) -> String {
        self.kubectl(arguments, stdin)
            .unwrap_or_else(|error| panic!("kubectl {arguments}: {error}\n{}", self.log()))
    }

    /// Creates, changes and deletes Secrets; one stays.
    fn use_secrets(&self, name: &str) {
        let apply = |name: &str, value: &str| {
            let secret = format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{password: {value}}}\n"
            );
            self.works("apply -f -", &secret);
        };
        apply(name, &format!("{PLAINTEXT}-first"));
        apply(name, &format!("{PLAINTEXT}-second"));
        self.works(
            &format!("create secret generic gone-{name} --from-literal=password={PLAINTEXT}"),
            "",
        );
        self.works(&format!("delete secret gone-{name}"), "");
    }

    #[track_caller]
    fn assert_reads(&self, name: &str) {
        let read = self.works(
            &format!("get secret {name} -o jsonpath={{.data.password}}"),
            "",
        );
        assert_eq!(
            STANDARD.decode(read).unwrap(),
            format!("{PLAINTEXT}-second").as_bytes()
        );
    }

    /// The files below the directory that hold some bytes, plain or as Base64 at any offset.
    fn files_with(&self, words: &str) -> Vec<PathBuf> {
        let encoded: Vec<String> = (0..3)
            .map(|shift| {
                let text = STANDARD.encode(format!("{}{words}", &"   "[..shift]));
                // Without the characters that depend on what stands before and after.
                text[(shift * 8).div_ceil(6)..text.len() - 4].to_owned()
            })
            .chain([words.to_owned()])
            .collect();
        let mut found = Vec::new();
        let mut folders = vec![self.directory.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = std::fs::read(&path)
                    && encoded.iter().any(|words| holds(&bytes, words.as_bytes()))
                {
                    found.push(path);
                }
            }
        }
        found
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

/// A configuration that seals Secrets with these providers.
fn config(providers: &str) -> String {
    format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n{providers}"
    )
}

fn aes_gcm(keys: &[(&str, u8)]) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|(name, byte)| format!("{{name: {name}, secret: {}}}", STANDARD.encode([*byte; 32])))
        .collect();
    format!("  - aesgcm: {{keys: [{}]}}\n", keys.join(", "))
}

#[test]
fn a_fresh_hub_leaves_no_byte_of_a_secret_on_its_disk() {
    let Some(mut hub) = Hub::new() else { return };
    hub.start(None);
    hub.works(
        "create configmap seen --from-literal=words=plain-words-that-are-found",
        "",
    );
    hub.use_secrets("kept");
    hub.assert_reads("kept");
    // While it runs, so with the WAL, and with the log of every request at its most talkative.
    assert!(
        !hub.files_with("plain-words-that-are-found").is_empty(),
        "the search finds what is there"
    );
    assert_eq!(hub.files_with(PLAINTEXT), Vec::<PathBuf>::new());
    hub.stop();
    assert_eq!(hub.files_with(PLAINTEXT), Vec::<PathBuf>::new());
    hub.start(None);
    hub.assert_reads("kept");
    hub.stop();

    let other = hub.path("other.yaml");
    std::fs::write(&other, config(&aes_gcm(&[("other", 1)]))).unwrap();
    let output = hub.command("serve", Some(&other)).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{last}");
    for part in [
        "/secrets default/kept",
        "aesgcm key \"local-",
        "add it to the providers",
    ] {
        assert!(last.contains(part), "{last}");
    }

    // The way out, if the key is lost: only for what really cannot be read.
    let give_up = |config: Option<&Path>, name: &str| {
        let mut command = hub.command("rewrite", config);
        command
            .args(["--delete-unreadable", name])
            .output()
            .unwrap()
    };
    for (config, name, why) in [
        (None, "/secrets default/kept", "can be read"),
        (
            Some(&*other),
            "/secrets default/other",
            "there is no object",
        ),
    ] {
        let output = give_up(config, name);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(why), "{text}");
    }
    let output = give_up(Some(&other), "/secrets default/kept");
    assert!(output.status.success(), "{output:?}");
    hub.start(Some(&other));
    assert_eq!(hub.works("get secrets -o name", ""), "");
    hub.works("get configmap seen", "");
}

#[test]
fn keys_are_replaced_under_a_running_hub() {
    let Some(mut hub) = Hub::new() else { return };
    let file = hub.path("encryption.yaml");
    let set = |providers: &str| std::fs::write(&file, config(providers)).unwrap();
    set("  - identity: {}\n");
    hub.start(Some(&file));
    hub.use_secrets("kept");
    assert!(!hub.files_with(PLAINTEXT).is_empty(), "stored as it is");
    let rewrite = |hub: &Hub| hub.works("create --raw /koinon/v1/rewrite -f -", "{}");
    let wait = |hub: &Hub, times: usize| {
        hub.until("the changed file is in effect", |hub| {
            let log = std::fs::read_to_string(hub.path("hub.log")).unwrap();
            log.matches("the encryption configuration has changed")
                .count()
                == times
        });
    };
    set(&(aes_gcm(&[("one", 1)]) + "  - identity: {}\n"));
    wait(&hub, 1);
    assert!(rewrite(&hub).contains("\"rewritten\":1"));
    set(&aes_gcm(&[("one", 1), ("two", 2)]));
    wait(&hub, 2);
    assert!(rewrite(&hub).contains("\"rewritten\":0"));
    set(&aes_gcm(&[("two", 2), ("one", 1)]));
    wait(&hub, 3);
    let refused = hub.kubectl("create --raw /koinon/v1/rewrite -f - --as=somebody", "{}");
    assert!(refused.unwrap_err().contains("system:masters"));
    assert!(rewrite(&hub).contains("\"rewritten\":1"));
    // A mistake changes nothing, and readyz tells.
    std::fs::write(&file, "resources: [").unwrap();
    hub.until("readyz tells", |hub| {
        hub.kubectl("get --raw /readyz/encryption-config", "")
            .is_err()
    });
    hub.assert_reads("kept");
    set(&aes_gcm(&[("two", 2)]));
    wait(&hub, 4);
    hub.use_secrets("second");
    hub.stop();
    hub.start(Some(&file));
    hub.assert_reads("kept");
    hub.assert_reads("second");
    hub.stop();

    // The same without a running hub.
    set(&aes_gcm(&[("three", 3), ("two", 2)]));
    let output = hub.command("rewrite", Some(&file)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("2 rewritten"),
        "{told}"
    );
    set(&aes_gcm(&[("three", 3)]));
    hub.start(Some(&file));
    hub.assert_reads("kept");
    let output = hub.command("rewrite", Some(&file)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("is in use by") && told.contains("/koinon/v1/rewrite"),
        "{told}"
    );
}

/// A plugin in a runtime of its own, which ends with it.
struct Plugin(tokio::runtime::Runtime);

impl Plugin {
    fn start(socket: PathBuf, keys: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let keys = KeyFile::open(keys).unwrap();
        runtime
            .spawn(async move { kms_plugin::serve(&socket, keys, std::future::pending()).await });
        Self(runtime)
    }

    fn kill(self) {
        self.0.shutdown_timeout(Duration::from_secs(1));
    }
}

#[test]
fn a_kms_plugin_seals_and_its_absence_is_told() {
    let Some(mut hub) = Hub::new() else { return };
    let (socket, keys) = (hub.path("kms.sock"), hub.path("kms.keys"));
    let file = hub.path("encryption.yaml");
    let kms = format!(
        "  - kms: {{apiVersion: v2, name: file, endpoint: 'unix://{}'}}\n",
        socket.display()
    );
    std::fs::write(&file, config(&kms)).unwrap();
    let plugin = Plugin::start(socket.clone(), &keys);
    hub.start(Some(&file));
    hub.use_secrets("kept");
    assert_eq!(hub.files_with(PLAINTEXT), Vec::<PathBuf>::new());
    hub.works("get --raw /readyz/kms-providers", "");
    plugin.kill();
    hub.stop();

    // Without its plugin it cannot read what it has to serve, and says so.
    let output = hub.command("serve", Some(&file)).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    // Its threads may still log a line after that.
    let error = text
        .lines()
        .find(|line| line.starts_with("error: "))
        .unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{error}");
    for part in ["/secrets default/kept", "KMS plugin \"file\""] {
        assert!(error.contains(part), "{error}");
    }
    // One that is only late is waited for.
    hub.spawn(Some(&file));
    std::thread::sleep(Duration::from_secs(1));
    let plugin = Plugin::start(socket, &keys);
    hub.until("the hub is ready", |hub| {
        hub.kubectl("get --raw /readyz", "").is_ok()
    });
    hub.assert_reads("kept");
    plugin.kill();
    hub.assert_reads("kept");
}
