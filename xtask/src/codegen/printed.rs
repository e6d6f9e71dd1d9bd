//! What an example of `federation-api` prints: the types live there, and linking that crate would make every `cargo xtask` slow.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{cargo, output};
use crate::workspace::Workspace;

/// Runs the example with these arguments and reads the JSON list that it prints.
///
/// # Errors
/// It does not build or run, or prints no list, or an empty one.
pub(super) fn printed(
    workspace: &Workspace,
    example: &str,
    arguments: &[&str],
) -> Result<Vec<Value>> {
    let text = output(
        cargo()
            .current_dir(&workspace.root)
            .args(["run", "--quiet", "--package", "federation-api"])
            .args(["--example", example, "--"])
            .args(arguments),
    )?;
    let objects: Vec<Value> = serde_json::from_str(&text)
        .with_context(|| format!("understand what {example} printed"))?;
    if objects.is_empty() {
        bail!("{example} printed nothing");
    }
    Ok(objects)
}
