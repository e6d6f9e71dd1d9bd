//! Starting a world: servers at once, then what makes them a federation.

use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::column::Column;
use super::hub::Hub;
use super::member::Member;
use super::workspace::Workspace;
use crate::kubectl::Kubectl;
use crate::tools::{Tools, repository};

/// What members and hub namespaces have in common: they are of one tenant and one workspace group.
pub const LABELS: [(&str, &str); 2] = [
    ("koinon.io/tenant", "bank"),
    ("koinon.io/workspace-group", "bank-prod"),
];
/// The members, each with its region.
const MEMBERS: [(&str, &str); 2] = [("hz-1", "hz"), ("sh-1", "sh")];

/// A running federation. Its processes end with it.
#[derive(Debug)]
pub struct World {
    /// Which one it is.
    pub column: Column,
    tools: Tools,
    hub: Hub,
    members: [Mutex<Member>; 2],
}

impl World {
    /// Starts one and waits until its members are ready and the kinds of the examples, ConfigMaps and Namespaces are federated.
    /// `None`: a program is missing and whatever needs the world is to be skipped.
    ///
    /// # Panics
    /// It does not get ready.
    #[must_use]
    pub fn start(column: Column) -> Option<Self> {
        let tools = Tools::find()?;
        let (hub, hz, sh) = std::thread::scope(|scope| {
            let member = || Member::start(&tools, column.members);
            let hub = scope.spawn(|| Hub::start(&tools, column.hub));
            let (hz, sh) = (scope.spawn(member), scope.spawn(member));
            let member = |thread: std::thread::ScopedJoinHandle<'_, Option<Member>>| {
                thread.join().expect("the member starts")
            };
            (hub.join().expect("the hub starts"), member(hz), member(sh))
        });
        let (mut hub, mut members) = (hub?, [hz?, sh?]);
        for member in &mut members {
            member.start_operator(&tools);
        }
        configure(&hub.kubectl());
        hub.start_controller();
        let world = Self {
            column,
            tools,
            hub,
            members: members.map(Mutex::new),
        };
        world.join();
        world.enable();
        Some(world)
    }

    fn join(&self) {
        for (name, region) in MEMBERS {
            let labels = format!("{},region={region}", labels());
            let file = self.member(name).kubeconfig().display().to_string();
            self.fedctl(&[
                "join",
                name,
                "--cluster-kubeconfig",
                &file,
                "--labels",
                &labels,
            ]);
        }
        let system = self.hub().namespace("kube-federation-system");
        system.run(&[
            "wait",
            "--for=condition=Ready",
            "kubefedcluster",
            "--all",
            "--timeout=60s",
        ]);
    }

    fn enable(&self) {
        let system = self.hub().namespace("kube-federation-system");
        system.run(&["apply", "-f", "examples/types"]);
        self.fedctl(&["enable", "configmaps"]);
        self.fedctl(&["enable", "namespaces"]);
        let running = "--for=jsonpath={.status.propagationController}=Running";
        system.run(&[
            "wait",
            running,
            "federatedtypeconfig",
            "--all",
            "--timeout=60s",
        ]);
    }

    /// kubectl for the hub's administrator.
    #[must_use]
    pub fn hub(&self) -> Kubectl {
        self.hub.kubectl()
    }

    /// A member: `hz-1` or `sh-1`. Nobody else has it meanwhile; do not hold it for long.
    ///
    /// # Panics
    /// There is no member of that name.
    pub fn member(&self, name: &str) -> MutexGuard<'_, Member> {
        let index = MEMBERS
            .iter()
            .position(|(member, _)| *member == name)
            .unwrap_or_else(|| panic!("there is no member {name}"));
        self.members[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a hub namespace of the tenant with the cells `rz00a` and `rz00b` in `hz-1` and `rz01a` in `sh-1`, and waits until they are
    /// ready.
    ///
    /// # Panics
    /// They do not get ready.
    #[must_use]
    pub fn workspace(&self, name: &str) -> Workspace {
        Workspace::make(self, name)
    }

    /// Runs fedctl against the hub.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn try_fedctl(&self, arguments: &[&str]) -> Output {
        Command::new(self.tools.fedctl())
            .args(arguments)
            .current_dir(repository())
            .env("KUBECONFIG", self.hub.kubeconfig())
            .output()
            .expect("fedctl starts")
    }

    /// Runs fedctl against the hub; it must succeed. Returns what it printed.
    ///
    /// # Panics
    /// It did not.
    pub fn fedctl(&self, arguments: &[&str]) -> String {
        let output = self.try_fedctl(arguments);
        assert!(
            output.status.success(),
            "fedctl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the hub's programs logged last, and the events on the hub.
    #[must_use]
    pub fn log(&self) -> String {
        let columns = "custom-columns=AT:.lastTimestamp,NAMESPACE:.metadata.namespace,OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message";
        let list = [
            "get",
            "events",
            "-A",
            "--sort-by=.lastTimestamp",
            "-o",
            columns,
        ];
        let events = self.hub().attempt(&list).unwrap_or_else(|error| error);
        format!("{}--- events\n{events}", self.hub.log())
    }
}

/// `key=value,…` of what members and namespaces are labelled with.
pub(super) fn labels() -> String {
    LABELS
        .map(|(key, value)| format!("{key}={value}"))
        .join(",")
}

/// Makes the system's namespace, and a configuration in which nobody waits as long as in production. To be done before the controller is
/// started.
///
/// # Panics
/// They are refused.
pub fn configure(hub: &Kubectl) {
    let namespace = "kube-federation-system";
    hub.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    hub.namespace(namespace).apply(&json!({
        "apiVersion": "core.kubefed.io/v1beta1",
        "kind": "KubeFedConfig",
        "metadata": {"name": "kubefed", "namespace": namespace},
        "spec": {
            "scope": "Cluster",
            "controllerDuration": {"availableDelay": "1s", "unavailableDelay": "10s"},
            "clusterHealthCheck": {"period": "3s"},
        },
    }));
}
