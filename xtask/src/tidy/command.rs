//! Runs the checks over the files of the repository and prints what they found.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{docs, sizes, source, text};
use crate::cli::CodegenArguments;
use crate::codegen;
use crate::workspace::Workspace;

/// Runs the checks over the workspace and prints the largest files.
///
/// # Errors
/// Something is untidy (each case is printed), or a file cannot be read.
pub fn run(workspace: &Workspace) -> Result<()> {
    let files = workspace.files()?;
    let mut found = Vec::new();
    let mut measured = Vec::new();
    for file in files.iter().filter(|file| text::is_ours(file)) {
        let bytes = fs::read(workspace.root.join(file))
            .with_context(|| format!("read {}", file.display()))?;
        let Ok(content) = String::from_utf8(bytes) else {
            found.push(format!("{}: not UTF-8", file.display()));
            continue;
        };
        found.extend(text::check(file, &content));
        if extension(file) == "rs" && source::is_measured(file, &content) {
            measured.push((file.clone(), source::lines_without_tests(&content)));
        }
        if extension(file) == "md" {
            found.extend(docs::check(file, &content, |path| {
                workspace.root.join(path).exists()
            }));
        }
    }
    let report = sizes::Report::new(measured);
    print!("{report}");
    found.extend(report.broken());
    if let Err(error) = codegen::run(
        workspace,
        &CodegenArguments {
            check: true,
            names: Vec::new(),
        },
    ) {
        found.push(format!("{error:#}"));
    }
    for line in &found {
        println!("tidy: {line}");
    }
    if !found.is_empty() {
        bail!("{} untidy things", found.len());
    }
    println!("tidy: {} files are in order", files.len());
    Ok(())
}

fn extension(file: &Path) -> &str {
    file.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}
