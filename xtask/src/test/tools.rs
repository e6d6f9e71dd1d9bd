//! The programs of others that tests need, and what tests are told of them.
//!
//! | variable | meaning for a test |
//! |---|---|
//! | `KOINON_BIN_DIR` | the folder of the binaries under test (`fedctl`, …) |
//! | `KOINON_KUBECTL` | the kubectl to use; absent: there is none |
//! | `KOINON_REQUIRE_TOOLS` | `1`: a missing tool is a failure; absent: skip, and say so in the skip log |
//! | `KOINON_SKIP_LOG` | a file to append a line to, saying why, for each test that is skipped |
//!
//! In CI a missing tool fails; on a laptop it skips what needs it, loudly.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{find_on_path, in_ci};
use crate::upstream;
use crate::workspace::Workspace;

/// Tools made ready for a run of the tests.
#[derive(Debug)]
pub struct Tools {
    binaries: PathBuf,
    kubectl: Option<PathBuf>,
    skip_log: PathBuf,
}

impl Tools {
    /// Finds kubectl on `PATH`, or builds it with Go.
    ///
    /// # Errors
    /// In CI: there is no kubectl and it cannot be built. Anywhere: the skip log cannot be made.
    pub fn prepare(workspace: &Workspace) -> Result<Self> {
        let kubectl = match find_on_path("kubectl") {
            Some(found) => Some(found),
            None => match upstream::build(workspace, "kubectl") {
                Ok(built) => Some(built),
                Err(error) if in_ci() => return Err(error.context("tests need kubectl")),
                Err(error) => {
                    println!("xtask: NO KUBECTL: tests that need it are skipped ({error:#})");
                    None
                }
            },
        };
        let skip_log = workspace.target.join("xtask-skipped-tests.log");
        fs::create_dir_all(&workspace.target).context("make the target folder")?;
        fs::write(&skip_log, "").with_context(|| format!("write {}", skip_log.display()))?;
        Ok(Self {
            binaries: workspace.target.join("debug"),
            kubectl,
            skip_log,
        })
    }

    /// Sets the variables above for a command.
    pub fn tell(&self, command: &mut Command) {
        command
            .env("KOINON_BIN_DIR", &self.binaries)
            .env("KOINON_SKIP_LOG", &self.skip_log);
        match &self.kubectl {
            Some(kubectl) => command.env("KOINON_KUBECTL", kubectl),
            None => command.env_remove("KOINON_KUBECTL"),
        };
        if in_ci() {
            command.env("KOINON_REQUIRE_TOOLS", "1");
        }
    }

    /// What the tests wrote to the skip log.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn skips(&self) -> Result<String> {
        fs::read_to_string(&self.skip_log)
            .with_context(|| format!("read {}", self.skip_log.display()))
    }
}
