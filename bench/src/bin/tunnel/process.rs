//! The processes of one system under measurement.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::front::Front;
use crate::role::{BULK, INTERACTIVE};
use crate::upstream::Programs;
use crate::{role, target};

/// The system that is upstream's.
pub(crate) const KONNECTIVITY: &str = "konnectivity";

/// A process that is measured.
pub(crate) struct Process {
    child: Child,
    /// The words after `ready`.
    pub(crate) told: Vec<String>,
}

impl Process {
    /// Starts a role and waits until it is ready.
    pub(crate) async fn start(
        system: &str,
        part: &str,
        directory: &Path,
        to: &str,
    ) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--role", system, part])
            .arg(directory)
            .arg(to)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut lines = BufReader::new(output).lines();
        let line = timeout(Duration::from_secs(30), lines.next_line())
            .await
            .context("it is not ready")??
            .with_context(|| format!("the {part} of {system} ended"))?;
        let told = line.split(' ').skip(1).map(str::to_owned).collect();
        Ok(Self { child, told })
    }

    /// Starts any program; it is not waited for, and has nothing to say.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let told = Vec::new();
        Ok(Self { child, told })
    }

    /// What it uses.
    fn usage(&self) -> Result<bench::Process> {
        Ok(bench::Process::new(
            self.child.id().context("it has ended")?,
        ))
    }

    /// CPU seconds so far, in user and kernel.
    pub(crate) fn cpu(&self) -> Result<f64> {
        self.usage()?.cpu_seconds()
    }

    /// Resident memory, in KiB.
    pub(crate) fn memory(&self) -> Result<f64> {
        Ok(self.usage()?.resident()? * 1e6 / 1024.0)
    }

    /// Kills it, as a crash would.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Hub, agent and target.
pub(crate) struct System {
    pub(crate) hub: Process,
    pub(crate) agent: Process,
    /// Front end for small and urgent streams.
    pub(crate) interactive: Front,
    /// Front end for large ones.
    pub(crate) bulk: Front,
}

impl System {
    /// Starts a system's processes.
    pub(crate) async fn start(name: &str, directory: &Path) -> Result<Self> {
        role::make_authority(directory)?;
        let target = target::start()?;
        if name == KONNECTIVITY {
            let programs = Programs::find().context("upstream's programs are gone")?;
            return programs.start(directory, target).await;
        }
        let (hub, agent) = if name == "raw-tls" {
            // The other way round: there the hub dials.
            let agent = Process::start(name, "agent", directory, &target.to_string()).await?;
            let to = agent.told.first().context("the agent's address")?.clone();
            (Process::start(name, "hub", directory, &to).await?, agent)
        } else {
            let hub = Process::start(name, "hub", directory, "127.0.0.1:0").await?;
            let to = format!(
                "{},{target}",
                hub.told.first().context("the hub's address")?
            );
            let agent = Process::start(name, "agent", directory, &to).await?;
            (hub, agent)
        };
        let interactive = Front::Unix(directory.join(INTERACTIVE));
        let bulk = match name {
            "raw-tls" => interactive.clone(),
            _ => Front::Unix(directory.join(BULK)),
        };
        Ok(Self {
            interactive,
            bulk,
            hub,
            agent,
        })
    }

    /// CPU seconds of hub and agent so far.
    pub(crate) fn cpu(&self) -> Result<f64> {
        Ok(self.hub.cpu()? + self.agent.cpu()?)
    }

    /// Ends them.
    pub(crate) async fn stop(self) -> Result<()> {
        self.hub.kill().await?;
        self.agent.kill().await
    }
}
