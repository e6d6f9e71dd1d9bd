//! `fedctl playground`: a hub, two members, three cells and the Foo example in one process.

use std::path::Path;

use anyhow::Context;
use futures::future::try_join_all;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::layout::Layout;
use super::node::Node;
use super::reporter::Reporter;
use super::tunnel::LocalAgent;
use super::up::{HubProcess, Ports};
use super::{setup, stop, view};
use crate::cli::Playground;

/// Starts everything, says when it is ready, and stays until Ctrl-C.
pub(crate) async fn playground(args: &Playground) -> anyhow::Result<()> {
    let layout = Layout::open(&args.data_dir)?;
    let live = !args.no_tui && std::io::IsTerminal::is_terminal(&std::io::stdout());
    super::logs::start(live.then(|| layout.log()).as_deref())?;
    let reporter = Reporter::new();
    let stop = stop::on_signal().context("cannot listen for signals")?;
    let mut world = tokio::select! {
        world = World::start(&layout, &reporter) => world?,
        () = stop.cancelled() => return Ok(()),
    };
    reporter.line(&format!(
        "ready after {:.2} s",
        reporter.elapsed().as_secs_f64()
    ));
    for line in next_commands(&args.data_dir) {
        reporter.hint(&line);
    }
    reporter.ready();
    let hub_client = world.hub.hub_client().clone();
    let commands = next_commands(&args.data_dir);
    let shown = async {
        if live {
            view::run(&hub_client, &commands, stop).await
        } else {
            stop.cancelled().await;
            Ok(())
        }
    };
    let ended = tokio::select! {
        ended = shown => ended,
        error = world.hub.failed() => return Err(error),
    };
    world.stop().await;
    ended
}

/// Everything that runs.
struct World {
    hub: HubProcess,
    nodes: Vec<Node>,
    agent: LocalAgent,
    operators: JoinSet<()>,
    stop_operators: CancellationToken,
}

impl World {
    async fn start(layout: &Layout, reporter: &Reporter) -> anyhow::Result<Self> {
        let names: Vec<&str> = ["hub", "tunnel"]
            .into_iter()
            .chain(setup::MEMBERS.iter().map(|(name, _)| *name))
            .collect();
        let mut listeners = layout.listeners(&names).await?.into_iter();
        let hub_ports = Ports {
            hub: listeners.next().context("no port for the hub")?,
            tunnel: listeners.next().context("no port for the tunnel")?,
            advertise: Vec::new(),
        };
        let members = try_join_all(setup::MEMBERS.iter().zip(listeners).map(
            |((name, _), listener)| async move {
                let kubeconfig = layout.member_kubeconfig(name);
                let node = Node::start(name, &layout.member(name), listener, &kubeconfig).await?;
                reporter.line(&format!("member {name} serves {}", node.handle.url()));
                anyhow::Ok(node)
            },
        ));
        let (directory, kubeconfig) = (layout.hub(), layout.kubeconfig());
        let hub = HubProcess::start(&directory, hub_ports, &kubeconfig);
        let (hub, nodes) = tokio::try_join!(hub, members)?;
        reporter.line(&format!("hub serves {}", hub.url()));
        setup::apply(hub.hub_client(), &nodes).await?;
        let tunnelled = nodes
            .iter()
            .find(|node| node.name == setup::TUNNELLED)
            .context("no member has the tunnel")?;
        let state = layout.agent(setup::TUNNELLED);
        let agent = setup::agent(hub.hub_client(), tunnelled, &state).await?;
        reporter.line("members joined: hz-1 at its address, sh-1 only through its agent's tunnel");
        reporter.line("workspace group bank-prod with cells rz00a, rz00b (hz-1) and rz01a (sh-1); Foo enabled");
        let stop_operators = CancellationToken::new();
        let mut operators = JoinSet::new();
        for node in &nodes {
            operators.spawn(foo_operator::run(
                node.member_client.clone(),
                stop_operators.clone().cancelled_owned(),
            ));
        }
        setup::wait(hub.hub_client()).await?;
        Ok(Self {
            hub,
            nodes,
            agent,
            operators,
            stop_operators,
        })
    }

    /// Ends everything in order: those that write first, then the servers.
    async fn stop(mut self) {
        self.stop_operators.cancel();
        while self.operators.join_next().await.is_some() {}
        tokio::join!(self.hub.stop(), self.agent.stop());
        for node in &self.nodes {
            node.handle.shutdown().await;
        }
    }
}

fn next_commands(data_dir: &Path) -> Vec<String> {
    let kubeconfig = data_dir.join("kubeconfig");
    vec![
        format!("export KUBECONFIG={}", kubeconfig.display()),
        "kubectl apply -f examples/foo-01.yaml -f examples/foo-02.yaml".to_owned(),
        "kubectl get federatedfoos -n bank-prod -o wide".to_owned(),
        format!("{} status foo -n bank-prod", program()),
        "kubectl apply -f examples/grey-release/1-mask-rz00a.yaml".to_owned(),
        format!(
            "kubectl --kubeconfig {} get foos -A",
            data_dir.join("members").join("hz-1.kubeconfig").display()
        ),
    ]
}

/// How to call this program again: by its name if it was found on the path, else by the way it was started.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.contains('/') {
        called
    } else {
        "fedctl".to_owned()
    }
}
