//! A playground to measure: the program, its clients, its memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::usage::megabytes;

/// Longer than any start or stop that is worth a figure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `fedctl playground --no-tui`. It is killed when this is dropped; [`Playground::stop`] ends it in order.
pub struct Playground {
    process: Child,
    /// Held open: the playground keeps its standard output.
    _output: Lines<BufReader<ChildStdout>>,
    data_dir: PathBuf,
    started_within: Duration,
}

/// Memory of a process, in MB (10^6 bytes).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// All that is resident (`VmRSS`).
    pub resident: f64,
    /// The part of it that is the process's own (`RssAnon`).
    pub anonymous: f64,
    /// The part of it that is pages of files, mostly the program itself (`RssFile`): the kernel may drop them.
    pub of_files: f64,
}

impl Playground {
    /// Starts the program of the folder `KOINON_BIN_DIR` on a data directory and waits for its line `ready`.
    ///
    /// # Errors
    /// The variable is missing, the program cannot be started, or it ends or takes a minute before it is ready.
    pub async fn start(data_dir: &Path) -> Result<Self> {
        let folder = std::env::var_os("KOINON_BIN_DIR")
            .context("KOINON_BIN_DIR names no folder; run this with cargo xtask bench")?;
        let program = PathBuf::from(folder).join("fedctl");
        let before = Instant::now();
        let mut process = Command::new(&program)
            .args(["playground", "--no-tui", "--data-dir"])
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let output = process.stdout.take().context("it has no output")?;
        let mut output = BufReader::new(output).lines();
        let ready = async {
            while let Some(line) = output.next_line().await? {
                if line == "ready" {
                    return Ok(before.elapsed());
                }
            }
            bail!("the playground ended before it was ready");
        };
        let started_within = timeout(PATIENCE, ready)
            .await
            .context("the playground is not ready after a minute")??;
        Ok(Self {
            process,
            _output: output,
            data_dir: data_dir.to_owned(),
            started_within,
        })
    }

    /// From just before the process was made until its line `ready` was read.
    #[must_use]
    pub fn started_within(&self) -> Duration {
        self.started_within
    }

    /// A client of the hub's administrator.
    ///
    /// # Errors
    /// The kubeconfig is not there or makes no sense.
    pub async fn hub_client(&self) -> Result<Client> {
        client(&self.data_dir.join("kubeconfig")).await
    }

    /// A client of a member's administrator.
    ///
    /// # Errors
    /// As [`Playground::hub_client`].
    pub async fn member_client(&self, cluster: &str) -> Result<Client> {
        let file = format!("{cluster}.kubeconfig");
        client(&self.data_dir.join("members").join(file)).await
    }

    /// What the process holds now, from `/proc`.
    ///
    /// # Errors
    /// It has ended, or this system has no such `/proc`.
    pub fn memory(&self) -> Result<Memory> {
        let id = self.process.id().context("the playground has ended")?;
        let file = format!("/proc/{id}/status");
        let text = fs::read_to_string(&file).with_context(|| format!("read {file}"))?;
        memory(&text).with_context(|| format!("understand {file}"))
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// It does not end within a minute, or not as a program that was asked to.
    pub async fn stop(mut self) -> Result<()> {
        let id = self.process.id().context("the playground has ended")?;
        let asked = Command::new("kill")
            .args(["-TERM", &id.to_string()])
            .status()
            .await
            .context("run kill")?;
        ensure!(asked.success(), "kill could not reach the playground");
        let ended = timeout(PATIENCE, self.process.wait())
            .await
            .context("the playground does not end")??;
        ensure!(ended.success(), "the playground ended with {ended}");
        Ok(())
    }
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = kubeconfig.display();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).with_context(|| format!("read {file}"))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .with_context(|| format!("use {file}"))?;
    Client::try_from(config).with_context(|| format!("make a client of {file}"))
}

fn memory(status: &str) -> Result<Memory> {
    Ok(Memory {
        resident: megabytes(status, "VmRSS")?,
        anonymous: megabytes(status, "RssAnon")?,
        of_files: megabytes(status, "RssFile")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_file_is_understood() {
        let text =
            "Name:\tfedctl\nVmRSS:\t 2000000 kB\nRssAnon:\t 1000000 kB\nRssFile:\t  500000 kB\n";
        let expected = Memory {
            resident: 2048.0,
            anonymous: 1024.0,
            of_files: 512.0,
        };
        assert_eq!(memory(text).unwrap(), expected);
        assert!(memory("VmRSS:\t2000000 kB\n").is_err());
    }
}
