//! The program: parse, run until a signal, tell what went wrong.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use federation_tunnel::{Agent, CertificateError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::Probed;
use crate::cli::{Cli, Protocol};
use crate::setup::{Setup, SetupError};
use crate::{admin, konnectivity, konnectivity_flags, logging};

/// The agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The flags are not enough, or wrong.
    #[error("the agent cannot be set up")]
    Setup(#[source] SetupError),
    /// The address for probes is taken or not ours.
    #[error("cannot listen on {address} for probes and metrics")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no certificate, and nothing else was asked for.
    #[error("there is no new certificate")]
    Certificate(#[source] CertificateError),
    /// Signals cannot be awaited.
    #[error("signals cannot be handled")]
    Signals(#[source] io::Error),
}

/// Parses the arguments (the first is the program's name), runs, and returns the process's exit code: 0 after a signal, 1 if the agent could not
/// start, 2 if the arguments are wrong.
pub async fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (arguments, without_meaning) = konnectivity_flags::split(arguments);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if let Err(error) = logging::init(cli.log_format, &cli.log) {
        eprintln!("proxy-agent: the log filter cannot be used: {error}");
        return ExitCode::from(2);
    }
    for name in without_meaning {
        tracing::warn!("--{name} has no effect here");
    }
    let stop = CancellationToken::new();
    let result = match stop_at_signals(stop.clone()) {
        Ok(()) => run(&cli, stop).await,
        Err(error) => Err(RunError::Signals(error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut next = std::error::Error::source(&error);
            while let Some(cause) = next {
                text = format!("{text}: {cause}");
                next = cause.source();
            }
            eprintln!("proxy-agent: {text}");
            ExitCode::FAILURE
        }
    }
}

/// The first SIGTERM or SIGINT asks to stop in order, the second ends the process.
fn stop_at_signals(stop: CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for asked in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked > 0 {
                std::process::exit(1);
            }
            tracing::info!("stopping; once more to stop at once");
            stop.cancel();
        }
    });
    Ok(())
}

/// Runs an agent until `stop`.
///
/// # Errors
/// If it cannot start. Once it runs, nothing ends it but `stop`. With `--certificate-only`: if there is no certificate.
pub async fn run(cli: &Cli, stop: CancellationToken) -> Result<(), RunError> {
    if cli.protocol == Protocol::Konnectivity {
        return konnectivity::run(cli, stop).await;
    }
    let setup = Setup::from_cli(cli).map_err(RunError::Setup)?;
    for remark in &setup.remarks {
        tracing::warn!("{remark}");
    }
    let agent = Agent::new(setup.config, setup.parts);
    if cli.certificate_only {
        return agent
            .keep_certificate()
            .await
            .map_err(RunError::Certificate);
    }
    let admin = serve_admin(cli, agent.handle()).await?;
    agent.run(stop).await;
    if let Some(admin) = admin {
        admin.abort();
    }
    Ok(())
}

/// Starts probes and metrics, unless they are turned off.
pub(crate) async fn serve_admin(
    cli: &Cli,
    probed: impl Probed,
) -> Result<Option<JoinHandle<()>>, RunError> {
    if cli.health_server_port == 0 {
        return Ok(None);
    }
    let address = SocketAddr::new(cli.health_bind_address, cli.health_server_port);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| RunError::Listen { address, source })?;
    Ok(Some(tokio::spawn(admin::serve(listener, probed))))
}
