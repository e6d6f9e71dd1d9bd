//! Why values cannot be sealed as the operator wants.

use std::path::PathBuf;

use apiserver_store::{CipherError, KmsError};

/// An encryption configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something else than it may.
    #[error("{} is not a valid encryption configuration: {}", path.display(), list(complaints))]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with field paths, as kube-apiserver says it.
        complaints: Vec<String>,
    },
    /// A plugin's socket cannot be used.
    #[error("KMS plugin {name:?} cannot be used")]
    Plugin {
        /// Which plugin.
        name: String,
        /// Why.
        source: KmsError,
    },
    /// A changed file names a plugin that is not well, so the old one stays in effect.
    #[error(
        "the changed encryption configuration is not used yet: KMS plugin {name:?} is not ready"
    )]
    NotReady {
        /// Which plugin.
        name: String,
        /// Why.
        source: KmsError,
    },
    /// No key can be made.
    #[error("no key can be made")]
    Random(#[source] CipherError),
    /// The file with the hub's own key cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database has other users, who have a key already.
    #[error(
        "this hub has no encryption key, and its database is in use already: copy {} from the hub that made it, or give all hubs \
         the same --encryption-provider-config", path.display()
    )]
    Shared {
        /// Where the key would be.
        path: PathBuf,
    },
}

/// As Go's error aggregates are written.
fn list(complaints: &[String]) -> String {
    match complaints {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
