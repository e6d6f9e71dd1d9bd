//! The agent's Pod as a process: what a kubelet would make of the Deployment in the member, without its container.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use federation_tests::{Guarded, Kubectl, eventually};
use serde_json::Value;
use tempfile::TempDir;

/// The Deployment's one container: its arguments, with the places of its volumes in a directory of the test's.
#[derive(Debug)]
pub(crate) struct AgentPod {
    arguments: Vec<String>,
    directory: TempDir,
}

impl AgentPod {
    /// Reads the Deployment and mounts its volumes: Secrets as files, a claim as an empty directory that stays.
    pub(crate) fn of(kubectl: &Kubectl) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("koinon-agent-")
            .tempdir()
            .unwrap();
        let deployment = kubectl.get("deployment", "proxy-agent");
        let spec = &deployment["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut arguments: Vec<String> = container["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect();
        for mount in container["volumeMounts"].as_array().unwrap() {
            let volumes = spec["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|it| it["name"] == mount["name"]);
            let place = directory.path().join(text(&mount["name"]));
            fs::create_dir(&place).unwrap();
            if let Some(secret) = volume.unwrap()["secret"]["secretName"].as_str() {
                write_secret(kubectl, secret, &place);
            }
            let inside = format!("={}", text(&mount["mountPath"]));
            for argument in &mut arguments {
                *argument = argument.replace(&inside, &format!("={}", place.display()));
            }
        }
        Self {
            arguments,
            directory,
        }
    }

    /// Starts it. The API server is where Pods are told that it is.
    pub(crate) fn run(&self, program: &Path, api_server: u16) -> Guarded {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let mut command = Command::new(program);
        command
            .args(&self.arguments)
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", api_server.to_string())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Guarded::start(&mut command, self.directory.path()).unwrap()
    }

    /// What it logged, over all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

/// Writes the values of a Secret as files. A service account's is waited for until it has its token.
fn write_secret(kubectl: &Kubectl, name: &str, place: &Path) {
    let data = eventually("the Secret is filled", || {
        let secret = kubectl.try_get("secret", name)?;
        let is_account = secret["type"] == "kubernetes.io/service-account-token";
        match secret["data"].as_object() {
            Some(data) if !is_account || data.contains_key("token") => Ok(data.clone()),
            _ => Err(format!("{name} is empty")),
        }
    });
    for (key, value) in data {
        let value = STANDARD.decode(value.as_str().unwrap()).unwrap();
        fs::write(place.join(key), value).unwrap();
    }
}
