//! `cargo xtask bench`: runs a bench program in release mode and checks what it wrote.
//!
//! A bench is a binary of the crate `bench`. It gets `--out <file>`, prints its table and writes its report there; the
//! crate's library has the types.

use std::env::consts::EXE_EXTENSION;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cli::BenchArguments;
use crate::process::{cargo, run as run_command};
use crate::upstream;
use crate::workspace::Workspace;

/// The crate of the bench programs.
const CRATE: &str = "bench";

/// What benches drive; built with them.
const PROGRAMS: [&str; 2] = ["fedctl", "federation-apiserver"];

/// Upstream programs that benches compare with.
const UPSTREAM: &[(&str, &[&str])] = &[
    ("hub", &["etcd", "kube-apiserver", "kine"]),
    ("tunnel", &["konnectivity-server", "konnectivity-agent"]),
];

/// Runs the named bench, or lists the benches if none is named.
///
/// # Errors
/// There is no such bench, it fails, or its report has not the agreed shape.
pub fn run(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    let benches = benches(workspace);
    let Some(name) = &arguments.name else {
        println!("benches: {}", benches.join(", "));
        return Ok(());
    };
    if !benches.contains(&name.as_str()) {
        bail!("no bench {name}; there are: {}", benches.join(", "));
    }
    let folder = workspace.target.join(CRATE);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let file = folder.join(format!("{name}.json"));
    // What a bench drives is built with it: asked for one after the other, Cargo would pick other features of shared
    // dependencies for each, and build those twice.
    let mut build = cargo();
    build
        .current_dir(&workspace.root)
        .args(["build", "--release"]);
    for package in PROGRAMS.into_iter().chain([CRATE]) {
        build.args(["--package", package]);
    }
    run_command(&mut build)?;
    upstream_programs(workspace, name);
    let programs = workspace.target.join("release");
    let program = programs.join(name).with_extension(EXE_EXTENSION);
    run_command(
        Command::new(program)
            .current_dir(&workspace.root)
            .env("KOINON_BIN_DIR", &programs)
            .env("KOINON_UPSTREAM_BIN", upstream::folder(workspace))
            .arg("--out")
            .arg(&file)
            .args(&arguments.rest),
    )?;
    let text = fs::read_to_string(&file)
        .with_context(|| format!("the bench wrote no {}", file.display()))?;
    let report =
        serde_json::from_str(&text).with_context(|| format!("understand {}", file.display()))?;
    check(&report).with_context(|| format!("{} has not the shape of a report", file.display()))?;
    println!("bench: wrote {}", workspace.relative(&file).display());
    Ok(())
}

/// Builds what a bench compares with. Without Go, a bench can still measure what needs none of it: it says itself what it misses.
fn upstream_programs(workspace: &Workspace, bench: &str) {
    let tools = UPSTREAM.iter().find(|(name, _)| *name == bench);
    for tool in tools.into_iter().flat_map(|(_, tools)| *tools) {
        if let Err(error) = upstream::build(workspace, tool) {
            println!("bench: NO {tool}: {error:#}");
        }
    }
}

fn benches(workspace: &Workspace) -> Vec<&str> {
    let targets = workspace
        .package(CRATE)
        .into_iter()
        .flat_map(|package| &package.targets);
    targets
        .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
        .map(|target| target.name.as_str())
        .collect()
}

/// `{machine, rows: [{system, metric, unit, median, min, max}], ratios: {name: number}}`, with at least one row.
fn check(report: &Value) -> Result<()> {
    report.get("machine").context("no machine")?;
    let rows = report["rows"].as_array().context("no rows")?;
    if rows.is_empty() {
        bail!("no row");
    }
    for (number, row) in rows.iter().enumerate() {
        for key in ["system", "metric", "unit"] {
            row[key]
                .as_str()
                .with_context(|| format!("row {number}: no {key}"))?;
        }
        for key in ["median", "min", "max"] {
            row[key]
                .as_f64()
                .with_context(|| format!("row {number}: no {key}"))?;
        }
    }
    let ratios = report["ratios"].as_object().context("no ratios")?;
    match ratios.iter().find(|(_, value)| !value.is_number()) {
        Some((name, _)) => bail!("ratio {name} is no number"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        json!({
            "machine": {"cpu": "x"},
            "rows": [{"system": "koinon", "metric": "start", "unit": "ms", "median": 1.5, "min": 1.0, "max": 2}],
            "ratios": {"better": 2.0},
        })
    }

    #[test]
    fn the_agreed_shape_passes() {
        check(&report()).unwrap();
    }

    #[test]
    fn each_missing_part_is_refused() {
        for key in ["machine", "rows", "ratios"] {
            let mut broken = report();
            broken.as_object_mut().unwrap().remove(key);
            assert!(check(&broken).is_err(), "{key}");
        }
        for key in ["system", "metric", "unit", "median", "min", "max"] {
            let mut broken = report();
            broken["rows"][0].as_object_mut().unwrap().remove(key);
            assert!(check(&broken).is_err(), "{key}");
        }
    }
}
