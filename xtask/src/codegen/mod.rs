//! `cargo xtask codegen`: writes the generated files that are committed, and checks that they are up to date.
//!
//! A generator is a module here with a `pub const GENERATOR: Generator`, listed in [`GENERATORS`]. It computes files and
//! writes none; [`run`] compares and writes. Files in its `folders` that it no longer makes are removed.

pub mod builtin;
mod command;
pub mod crds;
pub mod install;
mod printed;
pub mod protobuf;

use std::path::PathBuf;

use anyhow::Result;

pub use command::run;

use crate::workspace::Workspace;

/// All generators, in the order in which they run.
pub const GENERATORS: &[Generator] = &[
    builtin::GENERATOR,
    crds::GENERATOR,
    install::GENERATOR,
    protobuf::GENERATOR,
];

/// Something that computes committed files.
#[derive(Debug, Clone, Copy)]
pub struct Generator {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it writes and from what, for people.
    pub about: &'static str,
    /// Folders, relative to the root, in which every file is its own.
    pub folders: &'static [&'static str],
    /// Computes the files. The same inputs must give the same bytes.
    pub generate: fn(&Workspace) -> Result<Vec<GeneratedFile>>,
}

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where it belongs, relative to the root.
    pub path: PathBuf,
    /// Its whole content.
    pub content: String,
}
