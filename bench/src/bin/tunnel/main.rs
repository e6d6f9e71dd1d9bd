//! `cargo xtask bench tunnel`: what a connection through the tunnel costs, against upstream's proxy-server and proxy-agent, and against a TLS
//! session of its own per connection on the same two-process path. What each row means is in docs/benchmarks.md.
//!
//! client and target (this process) ⇄ hub ⇄ agent: hub and agent are processes of their own, so that their CPU time and memory are theirs.

mod client;
mod fleet;
mod front;
mod measured;
mod process;
mod role;
mod target;
mod upstream;

use std::num::NonZeroUsize;

use anyhow::{Context, Result};
use bench::{Directory, Output, Report};
use clap::Parser;
use tokio::runtime::Builder;

use measured::Measured;
use process::{KONNECTIVITY, System};

/// The systems that are compared: ours first.
const SYSTEMS: [&str; 3] = ["koinon", "raw-tls", KONNECTIVITY];

/// What a connection through the tunnel costs, against upstream's proxy-server and proxy-agent, and against TLS alone
#[derive(Parser)]
#[command(name = "tunnel")]
struct Options {
    /// How often all systems take their turn
    #[arg(long, value_name = "N", default_value = "3")]
    rounds: NonZeroUsize,
    /// Do an Nth of everything, to try the bench out
    #[arg(long, value_name = "N", default_value = "1")]
    divide: NonZeroUsize,
    /// Agents that come back to a hub that was killed
    #[arg(long, value_name = "N", default_value = "1000")]
    agents: NonZeroUsize,
    #[command(flatten)]
    output: Output,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let many = Builder::new_multi_thread().enable_all().build()?;
    if arguments.next().as_deref() == Some("--role") {
        return many.block_on(role::run(arguments.collect()));
    }
    let options = Options::parse();
    let mut report = Report::new();
    // One thread makes the load: hub and agent get the rest.
    let one = Builder::new_current_thread().enable_all().build()?;
    one.block_on(measure(&options, &mut report))?;
    let agents = options.agents.get();
    eprintln!("{agents} agents and a hub that is killed");
    let directory = Directory::make()?;
    many.block_on(fleet::measure(directory.path(), agents, &mut report))?;
    report.publish(&options.output)
}

/// All systems in turn.
async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let (rounds, divide) = (options.rounds.get(), options.divide.get());
    let systems = match upstream::Programs::find() {
        Some(_) => &SYSTEMS[..],
        None => {
            eprintln!("NO konnectivity-server and -agent: not compared (cargo xtask upstream)");
            &SYSTEMS[..2]
        }
    };
    let mut all: Vec<Measured> = systems.iter().map(|_| Measured::new(divide)).collect();
    for round in 1..=rounds {
        for (name, measured) in systems.iter().zip(&mut all) {
            eprintln!("round {round} of {rounds}: {name}");
            let directory = Directory::make()?;
            let system = System::start(name, directory.path()).await?;
            measured
                .measure(&system, *name != KONNECTIVITY)
                .await
                .with_context(|| format!("round {round}: {name}"))?;
            system.stop().await?;
        }
    }
    let mut medians = Vec::new();
    for (name, measured) in systems.iter().zip(&all) {
        medians.push(measured.report(name, report)?);
    }
    for (name, other) in systems.iter().zip(&medians).skip(1) {
        medians[0].ratios_to(name, other, report)?;
    }
    medians[0].ratio_of_stalled(report)
}
