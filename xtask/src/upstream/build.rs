//! Building a tool unless it is up to date, with progress.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::tool::{TOOLS, Tool};
use crate::cli::UpstreamArguments;
use crate::process::{Stopwatch, human, output};
use crate::workspace::Workspace;

/// How often progress is printed.
const PROGRESS: Duration = Duration::from_secs(10);

/// Builds the named tools, or all.
///
/// # Errors
/// As [`build`].
pub fn run(workspace: &Workspace, arguments: &UpstreamArguments) -> Result<()> {
    let all = Stopwatch::start();
    let names: Vec<&str> = match arguments.tools.as_slice() {
        [] => TOOLS.iter().map(|tool| tool.name).collect(),
        some => some.iter().map(String::as_str).collect(),
    };
    for name in &names {
        build(workspace, name)?;
    }
    println!(
        "upstream: {} tools ready in {}",
        names.len(),
        human(all.elapsed())
    );
    Ok(())
}

/// Where built tools go.
#[must_use]
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("upstream/bin")
}

/// Builds one tool if needed and returns where it is.
///
/// # Errors
/// No such tool, no Go toolchain, or Go cannot build it; what Go said is then part of the error.
pub fn build(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let tool = TOOLS
        .iter()
        .find(|tool| tool.name == name)
        .with_context(|| {
            let known: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
            format!("no tool {name}; there are: {}", known.join(", "))
        })?;
    let module = workspace.root.join(tool.module);
    let bin = folder(workspace);
    let program = bin.join(tool.name);
    let stamp_file = workspace.target.join("upstream/stamps").join(tool.name);
    let flags = linker_flags(&module, tool)?;
    let stamp = stamp(&module, &flags)?;
    if program.is_file() && fs::read_to_string(&stamp_file).is_ok_and(|existing| existing == stamp)
    {
        println!("upstream: {name} is up to date");
        return Ok(program);
    }
    fs::create_dir_all(&bin).with_context(|| format!("make {}", bin.display()))?;
    compile(&module, tool, &flags, &program)?;
    fs::create_dir_all(stamp_file.parent().unwrap_or(&bin)).context("make the folder of stamps")?;
    fs::write(&stamp_file, stamp).with_context(|| format!("write {}", stamp_file.display()))?;
    Ok(program)
}

/// Everything that decides what gets built, as text to compare.
fn stamp(module: &Path, flags: &str) -> Result<String> {
    let mut stamp = output(go(module).arg("version"))?;
    stamp.push_str(flags);
    // Most modules only pin programs of others; one that holds a program of ours is built again when that changes.
    let own = ["go.mod", "go.sum", "main.go"].map(|name| module.join(name));
    for file in own
        .iter()
        .filter(|file| file.extension().is_none_or(|kind| kind != "go") || file.is_file())
    {
        stamp.push_str(
            &fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?,
        );
    }
    Ok(stamp)
}

/// Strips debug information, and stamps the version as the project's own releases do.
fn linker_flags(module: &Path, tool: &Tool) -> Result<String> {
    let mut flags = "-s -w".to_owned();
    if let Some((pinned, variable)) = tool.version {
        let version = output(go(module).args(["list", "-m", "-f", "{{.Version}}", pinned]))?;
        flags.push_str(&format!(" -X {variable}={}", version.trim()));
    }
    Ok(flags)
}

fn compile(module: &Path, tool: &Tool, flags: &str, program: &Path) -> Result<()> {
    let watch = Stopwatch::start();
    println!("upstream: {}: fetching modules", tool.name);
    let packages = output(go(module).args(["list", "-deps", tool.package]))?
        .lines()
        .count();
    println!(
        "upstream: {}: building at most {packages} packages",
        tool.name
    );
    let mut child = go(module)
        .args(["build", "-v", "-trimpath", "-ldflags", flags, "-o"])
        .arg(program)
        .arg(tool.package)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start go build")?;
    let messages = child.stderr.take().context("standard error was piped")?;
    let (mut built, mut complaints, mut last) = (0_usize, String::new(), Duration::ZERO);
    for line in BufReader::new(messages).lines() {
        let line = line.context("read what go says")?;
        match is_package(&line) {
            true => built += 1,
            false => complaints.extend([line.as_str(), "\n"]),
        }
        if watch.elapsed() >= last + PROGRESS {
            last = watch.elapsed();
            println!("upstream: {}: {built} packages, {}", tool.name, human(last));
        }
    }
    let status = child.wait().context("wait for go build")?;
    if !status.success() {
        bail!(
            "go build {}: {status}\n{}",
            tool.package,
            complaints.trim_end()
        );
    }
    println!(
        "upstream: {}: {built} packages built in {}",
        tool.name,
        human(watch.elapsed())
    );
    Ok(())
}

/// `go build -v` prints the import path of each package that it compiles, alone on a line.
fn is_package(line: &str) -> bool {
    !line.is_empty() && !line.contains([' ', ':', '#'])
}

/// Go in a module, without C and without a version control stamp, so that the same sources give the same program.
fn go(module: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-buildvcs=false")
        .env("GOWORK", "off");
    go
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_complaints() {
        assert!(is_package("k8s.io/api/core/v1"));
        assert!(is_package("errors"));
        assert!(!is_package("# k8s.io/api/core/v1"));
        assert!(!is_package(
            "main.go:3:2: no required module provides package x"
        ));
    }

    #[test]
    fn every_tool_has_its_module() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for tool in TOOLS {
            assert!(
                root.join(tool.module).join("go.mod").is_file(),
                "{}",
                tool.name
            );
        }
    }
}
