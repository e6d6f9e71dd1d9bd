//! Checks, code generation, tests and benches of this repository.
//!
//! Everything that a developer or CI does with the repository as a whole is a subcommand here, so that
//! there is one way to do it and it is the same everywhere. Nothing in the product depends on this crate.

pub mod bench;
pub mod cli;
pub mod codegen;
pub mod deps;
pub mod process;
pub mod table;
pub mod test;
pub mod tidy;
pub mod upstream;
pub mod workspace;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Cli, Command};
use crate::workspace::Workspace;

/// Runs the subcommand named on this process's command line.
///
/// # Errors
/// The first reason why the subcommand failed; what it found is already on standard output.
pub fn run() -> Result<()> {
    let cli = Cli::parse();
    let workspace = Workspace::load()?;
    match cli.command {
        Command::Deps => deps::run(&workspace),
        Command::Tidy => tidy::run(&workspace),
        Command::Test(arguments) => test::run(&workspace, &arguments),
        Command::Codegen(arguments) => codegen::run(&workspace, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Upstream(arguments) => upstream::run(&workspace, &arguments),
    }
}
