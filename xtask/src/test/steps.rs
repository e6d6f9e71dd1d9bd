//! What each step runs.

use std::io;

use anyhow::{Result, bail};

use super::stream::{PATIENCE, stream};
use super::tally::Tally;
use super::tools::Tools;
use crate::cli::{StepName, TestArguments};
use crate::process::{cargo, run};
use crate::workspace::Workspace;
use crate::{deps, tidy};

/// Runs a step that checks or builds.
///
/// # Errors
/// The check found something, or the build failed.
pub fn check(workspace: &Workspace, step: StepName) -> Result<()> {
    let mut cargo = cargo();
    cargo.current_dir(&workspace.root);
    match step {
        StepName::Fmt => run(cargo.args(["fmt", "--all", "--check"])),
        StepName::Deps => deps::run(workspace),
        StepName::Tidy => tidy::run(workspace),
        StepName::Clippy => run(cargo.args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])),
        StepName::Build => run(cargo.args(["build", "--workspace", "--all-targets"])),
        StepName::Unit | StepName::E2e | StepName::Doc => bail!("{step:?} runs tests"),
    }
}

/// Runs a step that tests, showing the output as it comes and adding its counts to the tally.
///
/// # Errors
/// A test failed or did not compile.
pub fn tests(
    workspace: &Workspace,
    step: StepName,
    arguments: &TestArguments,
    tools: &Tools,
    tally: &mut Tally,
) -> Result<()> {
    let targets: &[&str] = match step {
        StepName::Unit => &["--lib", "--bins"],
        // Cargo refuses a pattern that matches nothing.
        StepName::E2e if !has_integration_tests(workspace) => return Ok(()),
        StepName::E2e => &["--test", "*"],
        StepName::Doc => &["--doc"],
        _ => bail!("{step:?} runs no tests"),
    };
    let mut command = cargo();
    command
        .current_dir(&workspace.root)
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(targets);
    command
        .args(&arguments.filter)
        .arg("--")
        .args(&arguments.rest);
    tools.tell(&mut command);
    stream(&mut command, tally, PATIENCE, &mut io::stdout().lock())
}

fn has_integration_tests(workspace: &Workspace) -> bool {
    let mut targets = workspace
        .packages
        .iter()
        .flat_map(|package| &package.targets);
    targets.any(|target| target.kind.iter().any(|kind| kind == "test"))
}
