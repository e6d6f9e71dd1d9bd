//! The hub's program. Everything is in the library.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    federation_apiserver::main(federation_apiserver::Cli::parse()).await
}
