//! A hub, and behind a real network boundary an upstream member with its agent.

use std::process::Command;
use std::time::{Duration, Instant};

use federation_tests::contexts::{Contexts, checked};
use federation_tests::network::{HUB_ADDRESS, Network, TUNNEL_PORT};
use federation_tests::upstream::{ControlPlane, Options, Programs, StubKubelet};
use federation_tests::world::{Database, Hub, HubKind, LABELS, configure, define_kinds};
use federation_tests::{Guarded, Kubectl, Tools, eventually, repository, within};
use serde_json::{Value, json};

use crate::pod::AgentPod;

pub(crate) const SYSTEM: &str = "kube-federation-system";
/// The hub namespace of the cells.
pub(crate) const GROUP: &str = "bank-prod";
pub(crate) const CLUSTER: &str = "far-1";
/// Both in the one member.
pub(crate) const CELLS: [&str; 2] = ["rz09a", "rz09b"];

/// Everything. Processes end before the network does.
pub(crate) struct Boundary {
    agent: Option<Guarded>,
    pod: AgentPod,
    _operator: Guarded,
    pub(crate) hub: Hub,
    pub(crate) plane: ControlPlane,
    pub(crate) kubelet: StubKubelet,
    pub(crate) contexts: Contexts,
    here: Tools,
    there: Tools,
    pub(crate) network: Network,
}

impl Boundary {
    /// Starts it and waits until the member is ready, its cells are, and Foos and ConfigMaps are federated. `None`: a program is missing, or
    /// this is not root.
    pub(crate) fn start() -> Option<Self> {
        let (tools, programs) = (Tools::find()?, Programs::find(true)?);
        let kubelet = StubKubelet::prepare()?;
        let network = Network::make()?;
        let (here, there) = (tools.inside(&network.hub), tools.inside(&network.member));
        let mut kubelet = kubelet.inside(&network.member);
        let (hub, plane) = std::thread::scope(|scope| {
            let hub = scope.spawn(|| start_hub(&here));
            let mut options = Options::with_controllers();
            options.extra_apiserver_args = kubelet.apiserver_args();
            // On every address, the one that the hub is linked to included: what is not reached is not for want of a listener.
            let everywhere = "--bind-address=0.0.0.0".to_owned();
            options.extra_apiserver_args.push(everywhere);
            let plane = ControlPlane::start_with(&programs.inside(&network.member), options);
            (hub.join().expect("the hub starts"), plane)
        });
        let hub = hub?;
        kubelet.join("n1", &plane.kubectl());
        define_kinds(&there, &plane.kubectl());
        let mut operator = Command::new(there.foo_operator());
        operator
            .env("KUBECONFIG", plane.kubeconfig())
            .stderr(std::fs::File::create(plane.directory().join("foo-operator.log")).unwrap());
        let operator = Guarded::start(&mut operator, plane.directory()).unwrap();
        let pod = join(&here, &hub, &plane);
        let kubeconfig = hub.directory().join("all.kubeconfig");
        let mut world = Self {
            agent: None,
            pod,
            _operator: operator,
            contexts: Contexts::new(here.kubectl(), &kubeconfig, hub.directory()),
            hub,
            plane,
            kubelet,
            here,
            there,
            network,
        };
        world.start_agent();
        world.becomes_ready("its agent was started");
        world.make_cells();
        let file = kubeconfig.display().to_string();
        world.fedctl(&["kubeconfig", "--file", &file]);
        Some(world)
    }

    fn make_cells(&self) {
        let labels: Value = LABELS.into_iter().collect();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GROUP, "labels": labels}});
        self.hub.kubectl().apply(&namespace);
        for cell in CELLS {
            self.fedctl(&["cell", "create", cell, "--cluster", CLUSTER, "-n", GROUP]);
        }
        let ready = [
            "wait",
            "--for=condition=Ready",
            "cell",
            "--all",
            "--timeout=60s",
        ];
        self.on_hub().run(&ready);
        let system = self.hub.kubectl().namespace(SYSTEM);
        system.run(&["apply", "-f", "examples/types/foos.yaml"]);
        self.fedctl(&["enable", "configmaps"]);
        let running = "--for=jsonpath={.status.propagationController}=Running";
        let types = [
            "wait",
            running,
            "federatedtypeconfig",
            "--all",
            "--timeout=60s",
        ];
        system.run(&types);
        let in_cell = self.in_cell(CELLS[0]);
        eventually("the cell has its account", || {
            in_cell.try_get("serviceaccount", "default").map(drop)
        });
        StubKubelet::run_pod("n1", &in_cell, "web");
    }

    /// kubectl for the hub, in the namespace of the cells.
    pub(crate) fn on_hub(&self) -> Kubectl {
        self.hub.kubectl().namespace(GROUP)
    }

    /// kubectl beside the member, in a cell's namespace.
    pub(crate) fn in_cell(&self, cell: &str) -> Kubectl {
        self.plane.kubectl().namespace(&format!("{GROUP}-{cell}"))
    }

    /// kubectl with the member's administrator's kubeconfig on the hub's side.
    pub(crate) fn member_from_the_hub(&self) -> Kubectl {
        let cache = self.hub.directory().join("direct-cache");
        Kubectl::new(self.here.kubectl(), &self.plane.kubeconfig(), &cache)
    }

    pub(crate) fn fedctl(&self, arguments: &[&str]) -> String {
        fedctl(&self.here, &self.hub, arguments)
    }

    pub(crate) fn start_agent(&mut self) {
        let program = self.there.binary("proxy-agent");
        self.agent = Some(self.pod.run(&program, self.plane.port()));
    }

    pub(crate) fn kill_agent(&mut self) {
        self.agent.take().unwrap().kill_9().unwrap();
    }

    /// Waits until the hub says that the member is ready, and says how long that took.
    pub(crate) fn becomes_ready(&self, since: &str) {
        self.turns(true, Duration::from_secs(90), since);
    }

    /// Waits until the hub says that the member is not ready; it must within `patience`.
    pub(crate) fn is_missed(&self, patience: Duration, since: &str) {
        self.turns(false, patience, since);
    }

    fn turns(&self, ready: bool, patience: Duration, since: &str) {
        let start = Instant::now();
        let hub = self.hub.kubectl().namespace(SYSTEM);
        within(patience, &format!("Ready is {ready} after {since}"), || {
            let cluster = hub.try_get("kubefedcluster", CLUSTER)?;
            match is_ready(&cluster) == ready {
                true => Ok(()),
                false => Err(format!(
                    "{}\n{}\nthe agent: {}",
                    cluster["status"],
                    self.hub.log(),
                    self.pod.log()
                )),
            }
        });
        let took = start.elapsed().as_secs_f64();
        println!("Ready is {ready} {took:.1} s after {since}");
    }
}

fn is_ready(cluster: &Value) -> bool {
    let conditions = cluster["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|it| it["type"] == "Ready" && it["status"] == "True")
}

fn start_hub(tools: &Tools) -> Option<Hub> {
    let tunnel = format!("--tunnel-listen={HUB_ADDRESS}:{TUNNEL_PORT}");
    let mut hub = Hub::start_with(tools, HubKind::Ours(Database::Sqlite), &[&tunnel])?;
    configure(&hub.kubectl());
    // The hub is killed and started here, on a machine that may be busy: a controller that lost its lease meanwhile would end, and nobody
    // would start it again.
    let elect = json!({"spec": {"leaderElect": {"leaseDuration": "90s", "renewDeadline": "60s"}}});
    let patch = ["patch", "kubefedconfig", "kubefed", "--type=merge", "-p"];
    let system = hub.kubectl().namespace(SYSTEM);
    system.run(&[&patch[..], &[&elect.to_string()]].concat());
    hub.start_controller();
    Some(hub)
}

/// `fedctl join --tunnel` on the hub's side, and what it prints on the member's. Nobody carries anything back.
fn join(here: &Tools, hub: &Hub, plane: &ControlPlane) -> AgentPod {
    let labels = LABELS
        .map(|(key, value)| format!("{key}={value}"))
        .join(",");
    let printed = fedctl(
        here,
        hub,
        &["join", CLUSTER, "--tunnel", "--labels", &labels],
    );
    let kubectl = plane.kubectl().namespace(SYSTEM);
    let apply = ["apply", "--server-side", "--validate=strict", "-f", "-"];
    kubectl.try_with_input(&apply, &printed).unwrap();
    AgentPod::of(&kubectl)
}

fn fedctl(tools: &Tools, hub: &Hub, arguments: &[&str]) -> String {
    let output = Command::new(tools.fedctl())
        .args(arguments)
        .current_dir(repository())
        .env("KUBECONFIG", hub.kubeconfig())
        .output()
        .unwrap();
    checked(&output, arguments)
}
