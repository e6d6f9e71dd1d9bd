//! The configuration that a hub makes for itself: Secrets, sealed with a key in a file of the data directory.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use apiserver_store::SealKey;
use base64::{Engine, engine::general_purpose::STANDARD};

use super::EncryptionError;

/// Name of the file in the data directory.
const FILE: &str = "encryption.yaml";

/// Where a hub's own configuration is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Makes the file with a new key, unless there is one. It is on the disk before this returns, so before anything is sealed with it.
pub(super) fn ensure(path: &Path) -> Result<(), EncryptionError> {
    if path.exists() {
        return Ok(());
    }
    let key = SealKey::generate("local-").map_err(EncryptionError::Random)?;
    match write(path, &text(&key)) {
        Ok(()) => {
            tracing::info!(path = %path.display(), key = key.name, "made a key to seal Secrets with: back it up, apart from the database");
            Ok(())
        }
        // Somebody else was faster; theirs is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(EncryptionError::Write {
            path: path.to_owned(),
            source,
        }),
    }
}

fn text(key: &SealKey) -> String {
    let SealKey { name, secret } = key;
    let secret = STANDARD.encode(secret.expose());
    format!(
        "# Made by the hub on its first start. Whoever has this file can read the Secrets in its database; without it nobody can.
# Keep a copy of it apart from copies of the database. How to replace the key: docs/encryption.md.
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources:
  - secrets
  # Their templates hold the Secrets that the members get.
  - federatedsecrets.types.kubefed.io
  providers:
  - aesgcm:
      keys:
      - name: {name}
        secret: {secret}
  # Reads what was stored before there was a key.
  - identity: {{}}
"
    )
}

/// Makes a file that only its owner may read, whole and durable, and never over another.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let temporary = directory.join(format!(".{FILE}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&temporary, path);
    std::fs::remove_file(&temporary)?;
    linked?;
    std::fs::File::open(directory)?.sync_all()
}
