//! Kubeconfig files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// Reads one without understanding it.
pub(super) fn read(path: &Path) -> anyhow::Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let tree: Option<Value> = serde_saphyr::from_str(&text)
        .with_context(|| format!("{} is not a kubeconfig", path.display()))?;
    match tree {
        Some(tree) if tree.is_object() => Ok(tree),
        None => Ok(Value::Object(serde_json::Map::new())),
        Some(_) => anyhow::bail!("{} is not a kubeconfig", path.display()),
    }
}

/// Writes one for its owner only, whole or not at all; a link stays a link.
pub(super) fn write(path: &Path, tree: &Value) -> anyhow::Result<()> {
    let text = serde_saphyr::to_string(tree).context("cannot print as YAML")?;
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut partial = target.clone().into_os_string();
    partial.push(format!(".{}.partial", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options
        .open(&partial)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, &target));
    if written.is_err() {
        // What is left of it is of no use, and may never have been there.
        let _ = fs::remove_file(&partial);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        write(&file, &json!({"a": "1", "users": [{"name": "yes"}]})).unwrap();
        assert_eq!(
            read(&file).unwrap(),
            json!({"a": "1", "users": [{"name": "yes"}]})
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        fs::write(&file, "- 1\n").unwrap();
        assert!(read(&file).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
