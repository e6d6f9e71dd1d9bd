//! What the crates without I/O pull in, down to the last transitive dependency.

use anyhow::Result;

use crate::process::{cargo, output};
use crate::workspace::Workspace;

/// Crates that decide and never act.
const PURE: &[&str] = &["federation-api", "federation-core"];

/// Crates whose presence means I/O.
const IMPURE: &[&str] = &[
    "tokio",
    "sqlx",
    "sqlx-core",
    "axum",
    "tonic",
    "hyper",
    "kube-client",
    "kube-runtime",
    "reqwest",
    "rustls",
];

/// Asks Cargo for the dependency tree of each pure crate, resolved for that crate alone (features that other members turn
/// on do not count), without development dependencies. Returns a sentence per crate that must not be there.
///
/// # Errors
/// Cargo cannot be asked.
pub fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for &name in PURE.iter().filter(|name| workspace.package(name).is_some()) {
        let tree = output(cargo().current_dir(&workspace.root).args([
            "tree",
            "--locked",
            "--package",
            name,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]))?;
        broken.extend(
            impurities(&tree)
                .into_iter()
                .map(|found| format!("{name}: pulls in {found}, so it could do I/O")),
        );
    }
    Ok(broken)
}

/// The impure crates in a `cargo tree --prefix none` listing, without repetition.
pub(super) fn impurities(tree: &str) -> Vec<&str> {
    let mut found: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| IMPURE.contains(name))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
