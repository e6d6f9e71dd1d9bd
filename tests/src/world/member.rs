//! A member of either kind, with Foo and its operator.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::column::MemberKind;
use crate::guarded::Guarded;
use crate::kubectl::Kubectl;
use crate::member::MemberServer;
use crate::tools::Tools;
use crate::upstream::{ControlPlane, Options};

/// A running member.
#[derive(Debug)]
pub struct Member {
    operator: Option<Guarded>,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Playground(MemberServer),
    Upstream(Box<ControlPlane>),
}

impl Member {
    /// Starts one and defines the kinds of the examples in it. Nobody acts on Foos yet. `None`: an upstream program is missing.
    ///
    /// # Panics
    /// It does not get ready.
    #[must_use]
    pub fn start(tools: &Tools, kind: MemberKind) -> Option<Self> {
        let server = match kind {
            MemberKind::Playground => Server::Playground(MemberServer::start(tools)),
            MemberKind::Upstream => {
                Server::Upstream(Box::new(ControlPlane::start(Options::with_controllers())?))
            }
        };
        let member = Self {
            operator: None,
            server,
        };
        define_kinds(tools, &member.kubectl());
        Some(member)
    }

    /// Starts the Foo operator.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start_operator(&mut self, tools: &Tools) {
        let directory = self.directory().to_owned();
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(directory.join("foo-operator.log"))
            .expect("a log");
        let mut command = Command::new(tools.foo_operator());
        command.env("KUBECONFIG", self.kubeconfig()).stderr(log);
        let operator = Guarded::start(&mut command, &directory).expect("foo-operator starts");
        self.operator = Some(operator);
    }

    /// Takes its API server away without a goodbye.
    ///
    /// # Panics
    /// It is not running.
    pub fn kill_9(&mut self) {
        match &mut self.server {
            Server::Playground(server) => server.kill_9(),
            Server::Upstream(plane) => plane.kill_9_apiserver(),
        }
    }

    /// Brings its API server back on the same address.
    ///
    /// # Panics
    /// It does not get ready.
    pub fn restart(&mut self) {
        match &mut self.server {
            Server::Playground(server) => server.restart(),
            Server::Upstream(plane) => plane.restart_apiserver(),
        }
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        match &self.server {
            Server::Playground(server) => server.kubeconfig(),
            Server::Upstream(plane) => plane.kubeconfig(),
        }
    }

    /// kubectl for its administrator.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        match &self.server {
            Server::Playground(server) => server.kubectl(),
            Server::Upstream(plane) => plane.kubectl(),
        }
    }

    /// Its directory, which goes with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        match &self.server {
            Server::Playground(server) => server.directory(),
            Server::Upstream(plane) => plane.directory(),
        }
    }
}

/// Defines the kinds of the examples in a member.
///
/// # Panics
/// They are refused.
pub fn define_kinds(tools: &Tools, kubectl: &Kubectl) {
    let definition = Command::new(tools.foo_operator())
        .arg("--print-crd")
        .output()
        .expect("foo-operator starts");
    let definition = String::from_utf8_lossy(&definition.stdout).into_owned();
    let apply = ["apply", "-f", "-", "-f", "examples/members/crds"];
    kubectl
        .try_with_input(&apply, &definition)
        .expect("the examples' kinds can be defined");
    kubectl.run(&[
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=30s",
    ]);
}
