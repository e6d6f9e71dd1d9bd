//! A control plane in processes of its own.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::apiserver::{prepare_apiserver, upstream_apiserver};
use super::certificates::{Authority, write};
use super::options::Options;
use super::port::free_port;
use super::programs::Programs;
use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::logs::last_of_each;
use crate::wait::within;

/// A start takes some seconds; many at once on two cores take longer.
const START: Duration = Duration::from_secs(120);
/// How often to start again when another process took one of the ports in the meantime.
const ATTEMPTS: usize = 3;

/// A running control plane. Its processes end when it is dropped or when this process ends, and its directory goes with them.
#[derive(Debug)]
pub struct ControlPlane {
    programs: Programs,
    options: Options,
    authority: Authority,
    port: u16,
    etcd_port: u16,
    etcd: Option<Guarded>,
    apiserver: Option<Guarded>,
    controllers: Option<Guarded>,
    directory: TempDir,
}

impl ControlPlane {
    /// Starts one and waits until it is ready: RBAC's own roles are there and, with controllers, the service account that Pods need.
    /// `None`: a program is missing and the test is to be skipped.
    ///
    /// # Panics
    /// It does not get ready; the message holds what its programs logged last.
    #[must_use]
    pub fn start(options: Options) -> Option<Self> {
        Some(Self::start_with(
            &Programs::find(options.controllers)?,
            options,
        ))
    }

    /// Starts one of given programs.
    ///
    /// # Panics
    /// As [`ControlPlane::start`].
    #[must_use]
    pub fn start_with(programs: &Programs, options: Options) -> Self {
        for _ in 1..ATTEMPTS {
            let mut one = Self::prepare(programs.clone(), options.clone());
            match one.try_start() {
                Ok(()) => return one,
                Err(log) if log.contains("address already in use") => {}
                Err(log) => panic!("the control plane does not start: {log}"),
            }
        }
        let mut one = Self::prepare(programs.clone(), options);
        match one.try_start() {
            Ok(()) => one,
            Err(log) => panic!("the control plane does not start: {log}"),
        }
    }

    /// Starts several at the same time, which takes less time than one after another.
    ///
    /// # Panics
    /// As [`ControlPlane::start`].
    #[must_use]
    pub fn start_several(options: &[Options]) -> Option<Vec<Self>> {
        std::thread::scope(|scope| {
            let starting: Vec<_> = options
                .iter()
                .map(|options| scope.spawn(|| Self::start(options.clone())))
                .collect();
            starting
                .into_iter()
                .map(|thread| thread.join().expect("the control plane starts"))
                .collect()
        })
    }

    fn prepare(programs: Programs, options: Options) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("koinon-upstream-")
            .tempdir()
            .expect("a temporary directory");
        let path = directory.path();
        let authority = Authority::new(path);
        prepare_apiserver(&authority, path);
        let port = free_port();
        let one = Self {
            programs,
            options,
            authority,
            port,
            etcd_port: free_port(),
            etcd: None,
            apiserver: None,
            controllers: None,
            directory,
        };
        let admin = ("kubernetes-admin", Some("system:masters"));
        write(&one.kubeconfig(), &one.kubeconfig_of(admin.0, admin.1));
        let manager = one.kubeconfig_of("system:kube-controller-manager", None);
        write(&one.path("controllers.kubeconfig"), &manager);
        one
    }

    fn try_start(&mut self) -> Result<(), String> {
        self.etcd = Some(self.spawn("etcd", &mut self.etcd_command()));
        self.begin_apiserver();
        self.wait_ready()?;
        if self.options.controllers {
            self.begin_controllers();
            self.wait_controllers()?;
        }
        Ok(())
    }

    /// Starts the killed or stopped API server again on the same port and waits until it is ready.
    ///
    /// # Panics
    /// It does not get ready.
    pub fn restart_apiserver(&mut self) {
        self.begin_apiserver();
        self.wait_ready()
            .unwrap_or_else(|log| panic!("kube-apiserver does not come back: {log}"));
    }

    /// Kills the API server between two instructions. etcd stays; controllers stay too, and go on once it is back.
    ///
    /// # Panics
    /// It is not running.
    pub fn kill_9_apiserver(&mut self) {
        let mut apiserver = self.apiserver.take().expect("a running kube-apiserver");
        apiserver.kill_9().expect("a child of ours");
    }

    /// Asks the API server to end, and waits for it.
    ///
    /// # Panics
    /// It is not running.
    pub fn stop_apiserver(&mut self) {
        let mut apiserver = self.apiserver.take().expect("a running kube-apiserver");
        apiserver.stop().expect("a child of ours");
    }

    /// Forgets every revision but the latest: etcd compacts, and the API server, which remembers what it has seen, starts anew.
    ///
    /// # Panics
    /// etcd refuses, or the API server does not come back.
    pub fn forget_history(&mut self) {
        self.stop_apiserver();
        let latest =
            self.ask_etcd("kv/range", &json!({"key": "AA=="}))["header"]["revision"].clone();
        self.ask_etcd(
            "kv/compaction",
            &json!({"revision": latest, "physical": true}),
        );
        self.restart_apiserver();
    }

    /// One request to etcd's gateway.
    fn ask_etcd(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut connection =
            TcpStream::connect(("127.0.0.1", self.etcd_port)).expect("etcd listens");
        write!(
            connection,
            "POST /v3/{path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("etcd reads");
        let mut answer = String::new();
        connection
            .read_to_string(&mut answer)
            .expect("etcd answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        assert!(head.contains(" 200 "), "etcd: {answer}");
        serde_json::from_str(body).expect("etcd's gateway speaks JSON")
    }

    /// The administrator's kubeconfig: a client certificate of the group `system:masters`. It needs no other file.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    /// The text of a kubeconfig for any user and group, by a client certificate. They may do what RBAC grants them.
    #[must_use]
    pub fn kubeconfig_of(&self, user: &str, group: Option<&str>) -> String {
        self.authority
            .kubeconfig("upstream", &self.url(), user, group)
    }

    /// The text of a kubeconfig with a token of a service account, as a Pod has one. The token holds for two hours.
    ///
    /// # Panics
    /// There is no such service account.
    #[must_use]
    pub fn kubeconfig_of_account(&self, namespace: &str, account: &str) -> String {
        let kubectl = self.kubectl().namespace(namespace);
        let token = kubectl.output(&["create", "token", account, "--duration=2h"]);
        let mut config: Value = serde_json::from_str(&self.kubeconfig_of("nobody", None))
            .expect("a kubeconfig of our own");
        config["users"][0]["user"] = json!({"token": token.trim()});
        config.to_string()
    }

    /// kubectl for the administrator.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        let cache = self.path("kube-cache");
        Kubectl::new(&self.programs.kubectl, &self.kubeconfig(), &cache)
    }

    /// Address of the API server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Port of the API server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address of etcd, which takes anybody's word: for tests that look at what is stored.
    #[must_use]
    pub fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_port)
    }

    /// Who issued the API server's certificate, and issues its clients'.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Its directory, which is deleted with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The last lines that its programs logged.
    #[must_use]
    pub fn log(&self) -> String {
        last_of_each(
            self.directory(),
            ["etcd", "kube-apiserver", "kube-controller-manager"],
            15,
        )
    }

    fn wait_ready(&mut self) -> Result<(), String> {
        let kubectl = self.kubectl();
        self.wait_for("kube-apiserver is ready", || {
            kubectl.attempt(&["get", "--raw", "/readyz"]).map(|_| ())
        })
    }

    fn wait_controllers(&mut self) -> Result<(), String> {
        let kubectl = self.kubectl();
        self.wait_for("the controllers work", || {
            let names = [
                "get",
                "serviceaccount/default",
                "configmap/kube-root-ca.crt",
            ];
            kubectl.attempt(&names).map(|_| ())
        })
    }

    /// Waits, but not for a program that has ended: then the error is the log.
    fn wait_for(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        within(START, what, || {
            if self.has_ended() {
                return Ok(Err(self.log()));
            }
            look()
                .map(Ok)
                .map_err(|complaint| format!("{complaint}\n{}", self.log()))
        })
    }

    fn has_ended(&mut self) -> bool {
        [&mut self.etcd, &mut self.apiserver, &mut self.controllers]
            .into_iter()
            .flatten()
            .any(|process| process.ended().expect("a child of ours").is_some())
    }

    fn begin_apiserver(&mut self) {
        self.apiserver = Some(self.spawn("kube-apiserver", &mut self.apiserver_command()));
    }

    fn begin_controllers(&mut self) {
        if let Some(mut command) = self.controllers_command() {
            self.controllers = Some(self.spawn("kube-controller-manager", &mut command));
        }
    }

    fn etcd_command(&self) -> Command {
        let mut command = Command::new(&self.programs.etcd);
        let clients = format!("http://127.0.0.1:{}", self.etcd_port);
        command
            .arg(format!("--data-dir={}", self.path("etcd").display()))
            .arg(format!("--listen-client-urls={clients}"))
            .arg(format!("--advertise-client-urls={clients}"))
            .args([
                "--listen-peer-urls=http://127.0.0.1:0",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ]);
        command
    }

    fn apiserver_command(&self) -> Command {
        let mut command = upstream_apiserver(
            &self.programs.kube_apiserver,
            &self.etcd_url(),
            self.port,
            self.directory.path(),
        );
        if !self.options.controllers {
            command.arg("--disable-admission-plugins=ServiceAccount");
        }
        command.args(&self.options.extra_apiserver_args);
        command
    }

    fn controllers_command(&self) -> Option<Command> {
        let mut command = Command::new(self.programs.kube_controller_manager.as_ref()?);
        command.args([
            "--leader-elect=false",
            "--secure-port=0",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=false",
            // Nodes, disks and certificates: nothing of it is here.
            "--controllers=*,-attachdetach,-persistentvolume-binder,-persistentvolume-expander,-ttl,-nodelifecycle,-nodeipam",
        ]);
        for (flag, file) in [
            ("kubeconfig", "controllers.kubeconfig"),
            ("root-ca-file", "ca.crt"),
            ("cluster-signing-cert-file", "ca.crt"),
            ("cluster-signing-key-file", "ca.key"),
            ("service-account-private-key-file", "sa.key"),
        ] {
            command.arg(format!("--{flag}={}", self.path(file).display()));
        }
        command.args(&self.options.extra_controller_args);
        Some(command)
    }

    fn spawn(&self, name: &str, command: &mut Command) -> Guarded {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(&format!("{name}.log")))
            .expect("a log");
        let both = log.try_clone().expect("a second handle of the log");
        command
            .current_dir(self.directory.path())
            .stdout(log)
            .stderr(both);
        Guarded::start(command, self.directory.path())
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for ControlPlane {
    /// Nothing of it is needed any more, so nobody is asked to end in good order: that would take seconds.
    fn drop(&mut self) {
        for process in [&mut self.controllers, &mut self.apiserver, &mut self.etcd] {
            if let Some(mut process) = process.take()
                && let Err(error) = process.kill_9()
            {
                eprintln!("a process of a control plane was left behind: {error}");
            }
        }
    }
}
