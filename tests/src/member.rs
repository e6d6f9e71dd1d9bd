//! A member cluster in a process of its own, which can be taken away and brought back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::tools::Tools;
use crate::upstream::free_port;
use crate::wait::within;

/// The example server of the crate `apiserver`.
#[derive(Debug)]
pub struct MemberServer {
    tools: Tools,
    port: u16,
    process: Option<Guarded>,
    directory: TempDir,
}

impl MemberServer {
    /// Starts one.
    ///
    /// # Panics
    /// It does not get ready.
    #[must_use]
    pub fn start(tools: &Tools) -> Self {
        let mut server = Self {
            tools: tools.clone(),
            port: free_port(),
            process: None,
            directory: tempfile::Builder::new()
                .prefix("koinon-e2e-member-")
                .tempdir()
                .expect("a temporary directory"),
        };
        server.restart();
        server
    }

    /// Starts it again on the same directory and port.
    ///
    /// # Panics
    /// It does not get ready.
    pub fn restart(&mut self) {
        let out = self.directory.path().join("stdout");
        let mut command = Command::new(self.tools.serve());
        command
            .arg(self.directory.path())
            .arg(self.port.to_string())
            .stdout(File::create(&out).expect("a file for its output"));
        let mut process =
            Guarded::start(&mut command, self.directory.path()).expect("the server starts");
        within(Duration::from_secs(30), "the member is ready", || {
            let said = fs::read_to_string(&out).unwrap_or_default();
            let ended = process.ended().expect("a child of ours");
            assert!(ended.is_none(), "the member ended: {ended:?}");
            if said.starts_with("ready") {
                Ok(())
            } else {
                Err(said)
            }
        });
        self.process = Some(process);
    }

    /// Takes it away without a goodbye.
    ///
    /// # Panics
    /// It is not running.
    pub fn kill_9(&mut self) {
        let mut process = self.process.take().expect("a running member");
        process.kill_9().expect("a child of ours");
    }

    /// Its administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// kubectl for it.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        let cache = self.directory.path().join("kube-cache");
        Kubectl::new(self.tools.kubectl(), &self.kubeconfig(), &cache)
    }

    /// Its directory, which goes with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
