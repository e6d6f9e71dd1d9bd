//! Licences and banned crates, read from `deny.toml`, so that they are checked also where cargo-deny is not installed.

use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::spdx;
use crate::process::{cargo, output};
use crate::workspace::{Package, Workspace};

/// The part of `deny.toml` that is checked here; cargo-deny checks the rest.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Resolved {
    packages: Vec<Package>,
}

/// Checks every crate that is built on this kind of machine. Returns how many crates of others there are, and a sentence
/// per broken rule.
///
/// # Errors
/// `deny.toml` cannot be read, or Cargo cannot be asked.
pub fn check(workspace: &Workspace) -> Result<(usize, Vec<String>)> {
    let text = fs::read_to_string(workspace.root.join("deny.toml")).context("read deny.toml")?;
    let policy: Policy = toml::from_str(&text).context("understand deny.toml")?;
    let host = output(
        std::process::Command::new("rustc")
            .current_dir(&workspace.root)
            .arg("-vV"),
    )?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc names no host")?;
    let metadata = output(cargo().current_dir(&workspace.root).args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        host,
    ]))?;
    let resolved: Resolved =
        serde_json::from_str(&metadata).context("understand cargo metadata")?;
    let others: Vec<Package> = resolved
        .packages
        .into_iter()
        .filter(|package| workspace.package(&package.name).is_none())
        .collect();
    Ok((others.len(), judge(&policy, &others)))
}

/// Applies the policy to the crates.
pub(super) fn judge(policy: &Policy, packages: &[Package]) -> Vec<String> {
    let mut broken = Vec::new();
    for package in packages {
        let id = format!("{} {}", package.name, package.version);
        if let Some(ban) = policy.bans.deny.iter().find(|ban| ban.name == package.name) {
            broken.push(format!("{id}: banned: {}", ban.reason));
        }
        let exception = policy
            .licenses
            .exceptions
            .iter()
            .find(|exception| exception.name == package.name);
        let allowed = |licence: &str| {
            policy.licenses.allow.iter().any(|allow| allow == licence)
                || exception
                    .is_some_and(|exception| exception.allow.iter().any(|allow| allow == licence))
        };
        match &package.license {
            None => broken.push(format!("{id}: names no licence")),
            Some(expression) => match spdx::satisfied(expression, &allowed) {
                Ok(true) => {}
                Ok(false) => broken.push(format!(
                    "{id}: licence {expression} is not allowed by deny.toml"
                )),
                Err(error) => broken.push(format!("{id}: licence {expression}: {error}")),
            },
        }
    }
    broken
}
