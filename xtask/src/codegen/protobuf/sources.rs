//! Upstream's packages, read when they are first asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::proto::{self, Messages, ProtoField};
use super::tags::{self, GoField, Structs};
use crate::codegen::builtin::module_folder;

/// The modules that have the types, by the beginning of their Protobuf packages.
const MODULES: &[(&str, &str)] = &[
    ("k8s.io.api.", "k8s.io/api@v0.35.8"),
    ("k8s.io.apimachinery.", "k8s.io/apimachinery@v0.35.8"),
    (
        "k8s.io.apiextensions_apiserver.",
        "k8s.io/apiextensions-apiserver@v0.35.8",
    ),
];

struct Package {
    messages: Messages,
    structs: Structs,
}

/// The packages read so far.
#[derive(Default)]
pub(super) struct Sources {
    folders: BTreeMap<&'static str, PathBuf>,
    packages: BTreeMap<String, Package>,
}

/// A message with what Go knows of it. No tags means that Go has no such struct.
pub(super) struct Source<'a> {
    pub(super) fields: &'a [ProtoField],
    pub(super) tags: Option<&'a BTreeMap<u32, GoField>>,
}

impl Sources {
    /// A message by its name with package.
    pub(super) fn message(&mut self, name: &str) -> Result<Source<'_>> {
        let (package, short) = name.rsplit_once('.').context("a message without package")?;
        if !self.packages.contains_key(package) {
            let folder = self.folder(package)?;
            let read = read(&folder).with_context(|| format!("read {}", folder.display()))?;
            self.packages.insert(package.to_owned(), read);
        }
        let package = &self.packages[package];
        Ok(Source {
            fields: package
                .messages
                .get(name)
                .with_context(|| format!("no message {name}"))?,
            tags: package.structs.get(short),
        })
    }

    fn folder(&mut self, package: &str) -> Result<PathBuf> {
        let (prefix, module) = MODULES
            .iter()
            .find(|(prefix, _)| package.starts_with(prefix))
            .with_context(|| format!("no module has package {package}"))?;
        if !self.folders.contains_key(module) {
            self.folders.insert(module, module_folder(module)?);
        }
        let path = package[prefix.len()..].replace('.', "/");
        Ok(self.folders[module].join(path))
    }
}

fn read(folder: &Path) -> Result<Package> {
    let messages = proto::parse(&fs::read_to_string(folder.join("generated.proto"))?)?;
    let mut structs = Structs::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let generated = name.contains("generated") || name.ends_with("_test.go");
        if name.ends_with(".go") && !generated {
            tags::parse(&fs::read_to_string(&path)?, &mut structs).context(name)?;
        }
    }
    Ok(Package { messages, structs })
}
