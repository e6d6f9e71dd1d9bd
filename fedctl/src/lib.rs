//! Koinon's command line: [`cli`] is what the user may type, `commands` does what works on any hub through its API, and `local` runs
//! hubs and members in this process (`fedctl up`, `fedctl playground`).
//!
//! Everything in `commands` goes through the hub's API, so kubectl could do it too; fedctl only knows the names.

#[macro_use]
mod print;

mod bootstrap;
pub mod cli;
mod commands;
mod hub;
mod local;
mod objects;
mod registration;
mod resolve;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command};

/// Parses the process's arguments and does what they say.
///
/// Exit codes: 0 done, 1 it failed (the reason is on standard error), 2 the arguments were off.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", print::chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let global = &cli.global;
    match cli.command {
        Command::Up(args) => local::up(&args).await,
        Command::Playground(args) => local::playground(&args).await,
        Command::Init(args) => commands::init(global, &args).await,
        Command::Deinit(args) => commands::deinit(global, &args).await,
        Command::Join(args) => commands::join(global, &args).await,
        Command::Unjoin(args) => commands::unjoin(global, &args).await,
        Command::Grant(args) => commands::grant(global, &args).await,
        Command::Enable(args) => commands::enable(global, &args).await,
        Command::Disable(args) => commands::disable(global, &args).await,
        Command::Cell(command) => commands::cell(global, &command).await,
        Command::Federate(args) => commands::federate(global, &args).await,
        Command::Mask(command) => commands::mask(global, &command).await,
        Command::Status(args) => commands::status(global, &args).await,
        Command::Kubeconfig(args) => commands::kubeconfig(global, &args).await,
        Command::Completion { shell } => {
            completion(shell);
            Ok(())
        }
    }
}

fn completion(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fedctl", &mut script);
    out!("{}", String::from_utf8_lossy(&script));
}
