//! The Foo operator as a program.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Makes Foos happy whose friend, a Pod, exists.
///
/// Connects as kubectl does: KUBECONFIG, then ~/.kube/config, then the service account of the Pod that it runs in.
/// RUST_LOG chooses what is logged (default: info).
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Print the definition of Foo, for `kubectl apply -f -`, and exit
    #[arg(long)]
    print_crd: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match serve(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("foo-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.print_crd {
        println!("{}", serde_json::to_string_pretty(&foo_operator::crd())?);
        return Ok(());
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let client = kube::Client::try_default()
        .await
        .context("find a cluster")?;
    foo_operator::run(client, stop_signal()).await;
    Ok(())
}

/// Ctrl-C, or SIGTERM as a Pod gets it.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => drop(interrupt.await),
    }
}
