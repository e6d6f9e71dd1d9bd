//! Where a bench lets the programs under test keep their data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// An empty directory beside the programs under test, removed when this is dropped.
///
/// Not in the system's folder for temporary files: that one may be memory, where syncing is free.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// Makes it in the folder that `KOINON_BIN_DIR` names; one that a killed bench with this process id left is removed first.
    ///
    /// # Errors
    /// The variable is missing, or the folder cannot be written.
    pub fn make() -> Result<Self> {
        let folder = std::env::var_os("KOINON_BIN_DIR")
            .context("KOINON_BIN_DIR names no folder; run this with cargo xtask bench")?;
        Self::make_in(Path::new(&folder))
    }

    fn make_in(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("bench-data-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("empty {}", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("bench: {} stays: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_empty_and_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("koinon-directory-{}", std::process::id()));
        let directory = Directory::make_in(&folder).unwrap();
        let path = directory.path().to_owned();
        fs::write(path.join("left"), "over").unwrap();
        assert!(path.is_dir());
        drop(directory);
        assert!(!path.exists());
        fs::remove_dir(&folder).unwrap();
    }
}
