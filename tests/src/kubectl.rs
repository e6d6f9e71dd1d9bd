//! kubectl against one server, with its output at hand.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::tools::repository;

/// kubectl with a kubeconfig and a namespace. Its cache is private: ports are used again by other servers.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
    namespace: String,
}

impl Kubectl {
    /// In the namespace `default`, until [`Kubectl::namespace`] says otherwise.
    #[must_use]
    pub fn new(program: &Path, kubeconfig: &Path, cache: &Path) -> Self {
        Self {
            program: program.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            cache: cache.to_owned(),
            namespace: "default".to_owned(),
        }
    }

    /// The same server, another namespace.
    #[must_use]
    pub fn namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self.clone()
        }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The kubeconfig in use.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The command, not yet started, in the root of the repository.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(repository())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", &self.cache)
            .args(["--namespace", &self.namespace])
            .args(arguments);
        command
    }

    /// Runs it, with a text as its standard input, and returns standard output, or what it complained.
    ///
    /// # Errors
    /// It ended with another status than success; the text is what it wrote to standard error, and output if any.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn try_with_input(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("standard input was piped");
        // A kubectl that fails before it reads closes the pipe; what it says then is the better message.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("kubectl ends");
        judge(&output)
    }

    /// Runs it without input.
    ///
    /// # Errors
    /// As [`Kubectl::try_with_input`].
    pub fn attempt(&self, arguments: &[&str]) -> Result<String, String> {
        self.try_with_input(arguments, "")
    }

    /// Runs it; it must succeed.
    ///
    /// # Panics
    /// It did not.
    #[must_use]
    pub fn output(&self, arguments: &[&str]) -> String {
        self.attempt(arguments)
            .unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    /// Runs it; it must succeed, and what it prints does not matter.
    ///
    /// # Panics
    /// It did not.
    pub fn run(&self, arguments: &[&str]) {
        let _ = self.output(arguments);
    }

    /// Runs it; it must fail, with a complaint that is returned.
    ///
    /// # Panics
    /// It succeeded.
    #[must_use]
    pub fn complaint(&self, arguments: &[&str]) -> String {
        match self.attempt(arguments) {
            Ok(output) => panic!("kubectl {} succeeded: {output}", arguments.join(" ")),
            Err(complaint) => complaint,
        }
    }

    /// `kubectl apply` of a manifest.
    ///
    /// # Panics
    /// It was refused.
    pub fn apply(&self, manifest: &Value) {
        self.try_with_input(&["apply", "-f", "-"], &manifest.to_string())
            .unwrap_or_else(|error| panic!("kubectl apply of {manifest}: {error}"));
    }

    /// An object as the server has it.
    ///
    /// # Errors
    /// kubectl's complaint, such as that there is none.
    pub fn try_get(&self, kind: &str, name: &str) -> Result<Value, String> {
        let text = self.attempt(&["get", kind, name, "-o", "json"])?;
        serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))
    }

    /// An object that is there.
    ///
    /// # Panics
    /// It is not.
    #[must_use]
    pub fn get(&self, kind: &str, name: &str) -> Value {
        self.try_get(kind, name)
            .unwrap_or_else(|error| panic!("kubectl get {kind} {name}: {error}"))
    }

    /// `kubectl patch --type=merge`.
    ///
    /// # Panics
    /// It was refused.
    pub fn patch(&self, kind: &str, name: &str, patch: &Value) {
        self.run(&[
            "patch",
            kind,
            name,
            "--type=merge",
            "-p",
            &patch.to_string(),
        ]);
    }
}

fn judge(output: &Output) -> Result<String, String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(stdout)
    } else {
        Err(format!(
            "{}{stdout}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
