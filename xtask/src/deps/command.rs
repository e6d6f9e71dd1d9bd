//! Gathers what the checks need, runs them and prints what they found.

use std::process::Command;

use anyhow::{Result, bail};

use super::{deny, purity, rule};
use crate::process::{in_ci, output};
use crate::workspace::Workspace;

/// Runs the checks over the workspace.
///
/// # Errors
/// Something breaks a rule (each case is printed), or Cargo cannot be asked.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut broken = rule::check(&workspace.packages);
    broken.extend(purity::check(workspace)?);
    let (crates, denied) = deny::check(workspace)?;
    broken.extend(denied);
    broken.extend(stale_lock(workspace)?);
    for line in &broken {
        println!("deps: {line}");
    }
    if !broken.is_empty() {
        bail!("{} broken dependency rules", broken.len());
    }
    println!(
        "deps: {} member crates and {crates} others keep the rules",
        workspace.packages.len()
    );
    Ok(())
}

/// In CI, a `Cargo.lock` that Cargo had to change was committed stale.
fn stale_lock(workspace: &Workspace) -> Result<Option<String>> {
    if !in_ci() {
        return Ok(None);
    }
    let status = output(Command::new("git").current_dir(&workspace.root).args([
        "status",
        "--porcelain",
        "--",
        "Cargo.lock",
    ]))?;
    Ok((!status.trim().is_empty()).then(|| {
        "Cargo.lock was committed out of date: commit the one that Cargo writes".to_owned()
    }))
}
