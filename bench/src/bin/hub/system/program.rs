//! A program with its log.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use bench::Process;
use federation_tests::Guarded;

/// How many of the last lines are shown where something went wrong.
const LINES: usize = 15;

/// A running program, which ends when this is dropped or this process ends.
pub(super) struct Program {
    guarded: Guarded,
    log: PathBuf,
}

impl Program {
    pub(super) fn start(name: &str, command: &mut Command, directory: &Path) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = OpenOptions::new().create(true).append(true).open(&log)?;
        command
            .current_dir(directory)
            .stdout(output.try_clone()?)
            .stderr(output);
        let guarded = Guarded::start(command, directory)
            .with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self { guarded, log })
    }

    pub(super) fn process(&self) -> Process {
        Process::new(self.guarded.id())
    }

    /// # Errors
    /// It has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.guarded.ended()? {
            Some(status) => bail!("it has ended, {status}:\n{}", self.log()),
            None => Ok(()),
        }
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        self.guarded.stop().context("end a program")?;
        Ok(())
    }

    /// The last lines that it logged.
    pub(super) fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}
