//! `cargo xtask bench propagation`: how long the playground takes to start, what it holds in memory, and how long a change
//! takes from the hub to the members and back. What each row means is in docs/benchmarks.md.

mod disk;
mod friends;
mod measured;
mod objects;
mod release;
mod status;
mod world;

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::{Directory, Output, Playground};
use clap::Parser;

use measured::Measured;
use world::World;

/// Fresh playgrounds in a run, unless told otherwise.
const ROUNDS: NonZeroUsize = NonZeroUsize::new(5).unwrap();
/// Changes of each kind in a round: 500 in a run.
const CHANGES: usize = 100;
/// How long a playground is left alone before its memory is read.
const REST: Duration = Duration::from_secs(5);

/// How long the playground takes to start, what it holds in memory, and how long changes take
#[derive(Parser)]
#[command(name = "propagation")]
struct Options {
    /// Fresh playgrounds
    #[arg(long, value_name = "N", default_value_t = ROUNDS)]
    rounds: NonZeroUsize,
    #[command(flatten)]
    output: Output,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let rounds = options.rounds.get();
    let mut measured = Measured::default();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        measure_round(&mut measured)
            .await
            .with_context(|| format!("round {round}"))?;
    }
    measured.report(rounds)?.publish(&options.output)
}

/// One playground from an empty folder to its end, and its second start.
async fn measure_round(measured: &mut Measured) -> Result<()> {
    let directory = Directory::make()?;
    disk::measure(directory.path(), CHANGES, &mut measured.sync)?;

    let playground = Playground::start(&directory.path().join("data")).await?;
    measured
        .start
        .push(playground.started_within().as_secs_f64());
    tokio::time::sleep(REST).await;
    measured.at_rest.push(playground.memory()?);

    let world = World::connect(&playground).await?;
    objects::apply_examples(&world).await?;
    tokio::time::sleep(REST).await;
    measured.with_foos.push(playground.memory()?);

    objects::make_foos(&world).await?;
    release::measure(&world, CHANGES, &mut measured.release).await?;
    friends::measure(&world, CHANGES, &mut measured.friends).await?;
    objects::make_deployments(&world).await?;
    status::measure(&world, CHANGES, &mut measured.status).await?;
    measured.after_changes.push(playground.memory()?);
    drop(world);
    playground.stop().await?;

    let again = Playground::start(&directory.path().join("data")).await?;
    measured
        .start_again
        .push(again.started_within().as_secs_f64());
    again.stop().await
}
