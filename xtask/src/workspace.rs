//! What Cargo and Git know of this repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::{cargo, output};

/// This repository as Cargo sees it. Paths are absolute.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Where Cargo builds.
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
    /// The member crates.
    pub packages: Vec<Package>,
}

/// A crate, as `cargo metadata` prints it.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// The crate's name.
    pub name: String,
    /// The crate's version.
    pub version: String,
    /// Its manifest.
    pub manifest_path: PathBuf,
    /// What it declares to depend on.
    pub dependencies: Vec<Dependency>,
    /// What it builds.
    pub targets: Vec<Target>,
    /// Its SPDX licence expression.
    pub license: Option<String>,
}

/// A declared dependency.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The name of the crate depended on.
    pub name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub kind: Option<String>,
    /// The features asked for.
    pub features: Vec<String>,
    /// Whether its default features are on too.
    pub uses_default_features: bool,
}

/// Something that Cargo builds from a crate.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// `lib`, `bin`, `test`, `example`, …
    pub kind: Vec<String>,
}

impl Workspace {
    /// Reads the workspace around the current directory.
    ///
    /// # Errors
    /// There is none, its manifests are wrong, or `Cargo.lock` is not up to date with them.
    pub fn load() -> Result<Self> {
        let text = output(cargo().args(["metadata", "--format-version=1", "--no-deps", "--locked"]))
            .context("read the workspace (if Cargo.lock is out of date: run `cargo metadata` once and commit it)")?;
        serde_json::from_str(&text).context("understand cargo metadata")
    }

    /// The member crate of that name.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// Every file that Git has or would add (ignored ones are left out), relative to the root, sorted.
    ///
    /// # Errors
    /// Git is missing or this is no repository.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let listing = output(Command::new("git").current_dir(&self.root).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut files: Vec<PathBuf> = listing
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            .filter(|file| self.root.join(file).is_file())
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// The path relative to the root, for printing.
    #[must_use]
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
