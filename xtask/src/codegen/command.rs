//! Runs generators and compares what they computed with what is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{GENERATORS, GeneratedFile, Generator};
use crate::cli::CodegenArguments;
use crate::workspace::Workspace;

/// What is wrong with a committed file.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    Missing(PathBuf, String),
    Changed(PathBuf, String),
    Stale(PathBuf),
}

/// Runs the named generators, or all; writes what differs, or with `--check` only says so.
///
/// # Errors
/// A name is unknown, a generator fails, a file cannot be written, or (with `--check`) a file is out of date.
pub fn run(workspace: &Workspace, arguments: &CodegenArguments) -> Result<()> {
    let mut out_of_date = 0;
    for generator in chosen(&arguments.names)? {
        let files = (generator.generate)(workspace)
            .with_context(|| format!("generate {}", generator.name))?;
        let differences = compare(&workspace.root, generator.folders, files)?;
        println!(
            "codegen {} ({}): {}",
            generator.name,
            generator.about,
            summary(&differences)
        );
        for difference in differences {
            out_of_date += 1;
            match arguments.check {
                true => println!(
                    "codegen {}: out of date: {}",
                    generator.name,
                    difference.path().display()
                ),
                false => apply(&workspace.root, difference)?,
            }
        }
    }
    if arguments.check && out_of_date > 0 {
        bail!("{out_of_date} generated files are out of date: run `cargo xtask codegen`");
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Generator>> {
    let known = || {
        GENERATORS
            .iter()
            .map(|generator| generator.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if names.is_empty() {
        return Ok(GENERATORS.to_vec());
    }
    names
        .iter()
        .map(|name| {
            let found = GENERATORS.iter().find(|generator| generator.name == name);
            found
                .copied()
                .with_context(|| format!("no generator {name}; there are: {}", known()))
        })
        .collect()
}

fn summary(differences: &[Difference]) -> String {
    match differences.len() {
        0 => "up to date".to_owned(),
        n => format!("{n} files differ"),
    }
}

fn compare(root: &Path, folders: &[&str], files: Vec<GeneratedFile>) -> Result<Vec<Difference>> {
    let mut stale = BTreeSet::new();
    for folder in folders {
        collect(&root.join(folder), &mut stale)?;
    }
    let mut differences = Vec::new();
    for GeneratedFile { path, content } in files {
        let absolute = root.join(&path);
        stale.remove(&absolute);
        match fs::read_to_string(&absolute) {
            Ok(existing) if existing == content => {}
            Ok(_) => differences.push(Difference::Changed(path, content)),
            Err(_) => differences.push(Difference::Missing(path, content)),
        }
    }
    differences.extend(stale.into_iter().map(|file| {
        Difference::Stale(
            file.strip_prefix(root)
                .map(Path::to_path_buf)
                .unwrap_or(file),
        )
    }));
    Ok(differences)
}

/// All files under a folder that may be absent.
fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("read {}", folder.display()))?
            .path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

impl Difference {
    fn path(&self) -> &Path {
        match self {
            Self::Missing(path, _) | Self::Changed(path, _) | Self::Stale(path) => path,
        }
    }
}

fn apply(root: &Path, difference: Difference) -> Result<()> {
    let absolute = root.join(difference.path());
    let say = |verb: &str| println!("codegen: {verb} {}", difference.path().display());
    match &difference {
        Difference::Stale(_) => {
            fs::remove_file(&absolute).with_context(|| format!("remove {}", absolute.display()))?;
            say("removed");
        }
        Difference::Missing(_, content) | Difference::Changed(_, content) => {
            if let Some(folder) = absolute.parent() {
                fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
            }
            fs::write(&absolute, content)
                .with_context(|| format!("write {}", absolute.display()))?;
            say("wrote");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> GeneratedFile {
        GeneratedFile {
            path: path.into(),
            content: content.to_owned(),
        }
    }

    #[test]
    fn differences_are_found_and_mended() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("out")).unwrap();
        for (name, content) in [("same", "1"), ("changed", "old"), ("stale", "x")] {
            fs::write(root.path().join("out").join(name), content).unwrap();
        }
        let files = || {
            vec![
                file("out/same", "1"),
                file("out/changed", "new"),
                file("out/sub/missing", "2"),
            ]
        };
        let differences = compare(root.path(), &["out"], files()).unwrap();
        assert_eq!(
            differences,
            [
                Difference::Changed("out/changed".into(), "new".to_owned()),
                Difference::Missing("out/sub/missing".into(), "2".to_owned()),
                Difference::Stale("out/stale".into()),
            ]
        );
        for difference in differences {
            apply(root.path(), difference).unwrap();
        }
        assert_eq!(compare(root.path(), &["out"], files()).unwrap(), []);
        assert!(!root.path().join("out/stale").exists());
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let error = chosen(&["nonsense".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("no generator nonsense"), "{error}");
    }
}
