//! What each step runs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::tally::Tally;
use super::tools::Tools;
use crate::cli::{StepName, TestArguments};
use crate::process::{cargo, run, show};
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
    stream(&mut command, tally)
}

fn has_integration_tests(workspace: &Workspace) -> bool {
    let mut targets = workspace
        .packages
        .iter()
        .flat_map(|package| &package.targets);
    targets.any(|target| target.kind.iter().any(|kind| kind == "test"))
}

/// Runs a command, copies its standard output line by line and lets the tally read along.
fn stream(command: &mut Command, tally: &mut Tally) -> Result<()> {
    let line = show(command);
    println!("$ {line}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let output = child.stdout.take().context("standard output was piped")?;
    let mut printed = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("read the tests' output")?;
        printed
            .write_all(&line)
            .and_then(|()| printed.write_all(b"\n"))
            .context("print")?;
        tally.read(&String::from_utf8_lossy(&line));
    }
    drop(printed);
    let status = child.wait().with_context(|| format!("wait for {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}
