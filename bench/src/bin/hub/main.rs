//! `cargo xtask bench hub`: the same load over HTTPS on our API server and on upstream's, each on several databases, one after the other
//! in every round. What each row means is in docs/benchmarks.md.

mod access;
mod client;
mod crowd;
mod figures;
mod lists;
mod mixed;
mod objects;
mod options;
mod round;
mod system;
mod watches;
mod writes;

use std::sync::Arc;

use anyhow::{Context, Result};
use bench::Directory;
use clap::Parser;

use figures::Figures;
use objects::Bodies;
use options::Options;
use round::Round;
use system::System;

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let directory = Directory::make()?;
    let bodies = Arc::new(Bodies::new());
    let mut all: Vec<_> = options
        .systems
        .0
        .iter()
        .map(|kind| (*kind, Figures::default()))
        .collect();
    let rounds = options.rounds.get();
    let all_rounds = rounds + usize::from(options.large > 0);
    for round in 1..=all_rounds {
        let is_large = round > rounds;
        for (kind, figures) in &mut all {
            eprintln!("round {round} of {all_rounds}: {}", kind.name());
            let mut round = Round {
                system: System::prepare(*kind, directory.path()).await?,
                options: &options,
                bodies: bodies.clone(),
                figures,
            };
            let measured = match is_large {
                true => round.measure_large().await,
                false => round.measure().await,
            };
            measured.with_context(|| format!("{}:\n{}", kind.name(), round.system.log()))?;
        }
    }
    figures::report(&all)?.publish(&options.output)
}
