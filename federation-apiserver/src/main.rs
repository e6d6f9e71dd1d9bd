//! The hub's program. Everything is in the library.

use std::process::ExitCode;

use clap::Parser;

/// Gives memory back that a burst of writes has left, which glibc's keeps: docs/benchmarks.md has the difference.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    federation_apiserver::main(federation_apiserver::Cli::parse()).await
}
