//! A node's kubelet as far as it streams.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::certificates::{Authority, Identity, write};
use super::programs::upstream_program;
use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::network::Side;
use crate::tools::skip;
use crate::wait::within;

/// `stub-kubelet`: logs, exec, attach and port-forward with upstream's own streaming server, and nothing else. It has an authority of
/// its own, as kubelets do that no API server issued certificates for.
#[derive(Debug)]
pub struct StubKubelet {
    program: PathBuf,
    authority: Authority,
    process: Option<Guarded>,
    directory: TempDir,
}

impl StubKubelet {
    /// Makes its certificates; it does not run yet. `None`: the program is missing and the test is to be skipped.
    ///
    /// # Panics
    /// There is no place for temporary files.
    #[must_use]
    pub fn prepare() -> Option<Self> {
        let Some(program) = upstream_program("stub-kubelet") else {
            skip("stub-kubelet is missing: cargo xtask upstream");
            return None;
        };
        let directory = tempfile::Builder::new()
            .prefix("koinon-kubelet-")
            .tempdir()
            .expect("a temporary directory");
        let path = directory.path();
        let authority = Authority::new(path);
        save(&authority.server(&["stub"]), path, "serving");
        let client = authority.client("kube-apiserver-kubelet-client", Some("system:masters"));
        save(&client, path, "client");
        fs::create_dir(path.join("container")).expect("a new directory");
        Some(Self {
            program,
            authority,
            process: None,
            directory,
        })
    }

    /// It will run inside of a network namespace.
    #[must_use]
    pub fn inside(self, side: &Side) -> Self {
        Self {
            program: side.wrap(&self.program, "upstream/stub-kubelet"),
            ..self
        }
    }

    /// The flags with which kube-apiserver reaches it.
    #[must_use]
    pub fn apiserver_args(&self) -> Vec<String> {
        let file = |name: &str| self.directory.path().join(name).display().to_string();
        vec![
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--kubelet-certificate-authority={}", file("ca.crt")),
            format!("--kubelet-client-certificate={}", file("client.crt")),
            format!("--kubelet-client-key={}", file("client.key")),
        ]
    }

    /// Starts it and makes it the node `name`.
    ///
    /// # Panics
    /// It does not get ready.
    pub fn join(&mut self, name: &str, kubectl: &Kubectl) {
        let port = self.start();
        kubectl.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
        let status = json!({"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "Stub"}],
        }});
        patch_status(kubectl, "node", name, &status.to_string());
    }

    /// Makes a Pod on the node and says that it runs. Its commands run in [`StubKubelet::container`].
    ///
    /// # Panics
    /// It is refused.
    pub fn run_pod(node: &str, kubectl: &Kubectl, name: &str) {
        kubectl.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": [{"name": "main", "image": "none", "stdin": true}]}}));
        let status = json!({"status": {"phase": "Running", "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "image": "none", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"running": {}}}]}});
        patch_status(kubectl, "pod", name, &status.to_string());
    }

    /// The directory in which commands run.
    #[must_use]
    pub fn container(&self) -> PathBuf {
        self.directory.path().join("container")
    }

    /// What it logged: one line for each command.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Who issued its certificates.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    fn start(&mut self) -> u16 {
        let path = self.directory.path();
        let create = |name: &str| File::create(path.join(name)).expect("a file");
        let mut command = Command::new(&self.program);
        for (flag, file) in [
            ("directory", "container"),
            ("tls-cert-file", "serving.crt"),
            ("tls-private-key-file", "serving.key"),
            ("client-ca-file", "ca.crt"),
        ] {
            command.arg(format!("--{flag}={}", path.join(file).display()));
        }
        command.stdout(create("out")).stderr(create("log"));
        self.process = Some(Guarded::start(&mut command, path).expect("stub-kubelet starts"));
        within(Duration::from_secs(20), "stub-kubelet is ready", || {
            let said = fs::read_to_string(path.join("out")).unwrap_or_default();
            let port = said
                .trim()
                .strip_prefix("ready ")
                .and_then(|port| port.parse().ok());
            port.ok_or_else(|| self.log())
        })
    }
}

fn patch_status(kubectl: &Kubectl, kind: &str, name: &str, patch: &str) {
    kubectl.run(&[
        "patch",
        kind,
        name,
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    ]);
}

fn save(identity: &Identity, directory: &Path, name: &str) {
    write(
        &directory.join(format!("{name}.crt")),
        &identity.certificate_pem,
    );
    write(&directory.join(format!("{name}.key")), &identity.key_pem);
}
