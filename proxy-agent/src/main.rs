//! The agent's program. Everything is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    proxy_agent::main(std::env::args_os()).await
}
