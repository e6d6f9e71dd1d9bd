//! Why a value was not sealed or opened, in words that say what to do. None of them holds a byte of a value or a key.

use super::{Trouble, kms, rules::SEALED};
use crate::{BackendError, Key, Problem};

/// A value cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Its provider does not seal now.
    #[error("{key} cannot be sealed: {trouble}")]
    Provider {
        /// Which object.
        key: Key,
        /// Why.
        trouble: Trouble,
    },
    /// It begins like a sealed value and is not to be sealed, so it could not be told from one.
    #[error("the value of {0} begins with k8s:enc:, which marks what is sealed")]
    LooksSealed(Key),
}

/// A stored value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// No provider of its resource knows its key.
    #[error(
        "{key} is sealed with {form}, and the encryption configuration has no such key for {}: add it to the providers of \
         this resource, after the one that new values are to be sealed with", key.resource
    )]
    UnknownKey {
        /// Which object.
        key: Key,
        /// Provider and key, as the value names them.
        form: String,
    },
    /// A key of the right name does not open it.
    #[error(
        "{key} is sealed with {form}, but the configured key of that name does not open it: either another key once had \
         this name (configure that one), or what is stored was changed or moved (restore it from a backup)"
    )]
    Refused {
        /// Which object.
        key: Key,
        /// Provider and key, as the value names them.
        form: String,
    },
    /// Its provider cannot open it now.
    #[error("{key} is sealed with {form} and cannot be opened: {trouble}")]
    Provider {
        /// Which object.
        key: Key,
        /// Provider and key, as the value names them.
        form: String,
        /// Why.
        trouble: Trouble,
    },
    /// It is not sealed, and its resource's rule has no provider that takes it so.
    #[error(
        "{key} is stored in plain text, and the encryption configuration has no provider \"identity\" for {}: add it as \
         the last one to read what is not yet sealed", key.resource
    )]
    Plain {
        /// Which object.
        key: Key,
    },
}

impl UnsealError {
    pub(super) fn unknown_key(key: &Key, stored: &[u8]) -> Self {
        Self::UnknownKey {
            key: key.clone(),
            form: form(stored),
        }
    }

    pub(super) fn trouble(key: &Key, stored: &[u8], trouble: Trouble) -> Self {
        let (key, form) = (key.clone(), form(stored));
        match trouble {
            Trouble::Cipher(_) => Self::Refused { key, form },
            trouble @ Trouble::Kms { .. } => Self::Provider { key, form, trouble },
        }
    }
}

impl From<SealError> for BackendError {
    fn from(error: SealError) -> Self {
        Self::new(Problem::Sealing, error)
    }
}

impl From<UnsealError> for BackendError {
    fn from(error: UnsealError) -> Self {
        Self::new(Problem::Sealing, error)
    }
}

/// What a sealed value says of itself before the sealed part: `aesgcm key "key1"`.
fn form(stored: &[u8]) -> String {
    let mut parts = stored
        .strip_prefix(SEALED)
        .unwrap_or_default()
        .splitn(4, |byte| *byte == b':');
    let mut part = || -> String {
        // Names are short; what is longer is no name.
        let bytes = parts.next().unwrap_or_default();
        String::from_utf8_lossy(bytes.get(..bytes.len().min(64)).unwrap_or_default()).into_owned()
    };
    let (provider, version, name) = (part(), part(), part());
    if provider != "kms" {
        return format!("{provider} key {name:?}");
    }
    match kms::key_id_of(parts.next().unwrap_or_default()) {
        Some(id) => format!("KMS plugin {name:?} key id {id:?}"),
        None => format!("KMS plugin {name:?} ({version})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_without_what_is_sealed() {
        for (stored, told) in [
            (
                &b"k8s:enc:aesgcm:v1:key1:SEALED"[..],
                r#"aesgcm key "key1""#,
            ),
            (
                b"k8s:enc:kms:v2:vault:\xff\xff",
                r#"KMS plugin "vault" (v2)"#,
            ),
            (b"k8s:enc:", r#" key """#),
        ] {
            assert_eq!(form(stored), told);
        }
    }
}
