//! Providers whose keys are in our hands: `aesgcm`, `aescbc`, `secretbox`.

use std::fmt;

use super::{
    cbc::Cbc,
    cipher::{Cipher, CipherError},
    gcm::Gcm,
    secret::SealKey,
    secretbox::SecretBox,
};

/// Keys that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is not a single one.
    #[error("at least one key is required")]
    None,
    /// A name that could not be told from what follows it.
    #[error("the key name {name:?} is empty or contains a colon")]
    Name {
        /// The name.
        name: String,
    },
    /// The cipher has no keys of that length.
    #[error("key {name:?} has {length} bytes, expected one of {expected:?}")]
    Length {
        /// Which key.
        name: String,
        /// Its length in bytes.
        length: usize,
        /// What it could be.
        expected: &'static [usize],
    },
}

/// Keys of one cipher: the first seals, all open what carries their name.
pub struct KeyRing {
    /// `k8s:enc:<cipher>:v1:`.
    prefix: &'static str,
    keys: Vec<(String, Box<dyn Cipher>)>,
}

impl KeyRing {
    /// AES-GCM with keys of 16 or 32 bytes and random nonces. A key should seal no more than 2^32 values.
    ///
    /// kube-apiserver also takes keys of 24 bytes here; they are refused.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn aes_gcm(keys: &[SealKey]) -> Result<Self, KeyError> {
        Self::new("k8s:enc:aesgcm:v1:", keys, &[16, 32], |key| {
            Some(Box::new(Gcm::new(key.secret.expose())?))
        })
    }

    /// AES-CBC with keys of 16, 24 or 32 bytes. Does not notice changes or exchanges of what is stored.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn aes_cbc(keys: &[SealKey]) -> Result<Self, KeyError> {
        Self::new("k8s:enc:aescbc:v1:", keys, &[16, 24, 32], |key| {
            Some(Box::new(Cbc::new(&key.secret)?))
        })
    }

    /// XSalsa20 and Poly1305 with keys of 32 bytes. Does not notice exchanges of what is stored.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn secretbox(keys: &[SealKey]) -> Result<Self, KeyError> {
        Self::new("k8s:enc:secretbox:v1:", keys, &[32], |key| {
            Some(Box::new(SecretBox::new(&key.secret)?))
        })
    }

    fn new(
        prefix: &'static str,
        keys: &[SealKey],
        expected: &'static [usize],
        cipher: impl Fn(&SealKey) -> Option<Box<dyn Cipher>>,
    ) -> Result<Self, KeyError> {
        let ready = keys.iter().map(|key| {
            let name = key.name.clone();
            if name.is_empty() || name.contains(':') {
                return Err(KeyError::Name { name });
            }
            match cipher(key) {
                Some(cipher) => Ok((name, cipher)),
                None => Err(KeyError::Length {
                    name,
                    length: key.secret.expose().len(),
                    expected,
                }),
            }
        });
        let keys = ready.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::None);
        }
        Ok(Self { prefix, keys })
    }

    /// Seals with the first key.
    pub(super) fn seal(&self, plain: &[u8], path: &[u8]) -> Result<Vec<u8>, CipherError> {
        let Some((name, cipher)) = self.keys.first() else {
            return Err(CipherError::Refused);
        };
        let mut out = Vec::with_capacity(self.prefix.len() + name.len() + plain.len() + 64);
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        cipher.seal(plain, path, &mut out)?;
        Ok(out)
    }

    /// Opens with a key of the name that the value carries; `None` if there is no such key.
    pub(super) fn open(&self, stored: &[u8], path: &[u8]) -> Option<Result<Vec<u8>, CipherError>> {
        let rest = stored.strip_prefix(self.prefix.as_bytes())?;
        let mut outcome = None;
        for (name, cipher) in &self.keys {
            let Some(sealed) = after_name(rest, name) else {
                continue;
            };
            match cipher.open(sealed, path) {
                Ok(plain) => return Some(Ok(plain)),
                // Two keys may have the same name while one replaces the other.
                Err(error) => outcome = Some(Err(error)),
            }
        }
        outcome
    }

    /// Was it sealed, for `path`, with the key that seals now?
    pub(super) fn is_current(&self, stored: &[u8], path: &[u8]) -> bool {
        stored
            .strip_prefix(self.prefix.as_bytes())
            .zip(self.keys.first())
            .and_then(|(rest, (name, cipher))| Some((after_name(rest, name)?, cipher)))
            .is_some_and(|(sealed, cipher)| cipher.open(sealed, path).is_ok())
    }
}

fn after_name<'a>(rest: &'a [u8], name: &str) -> Option<&'a [u8]> {
    rest.strip_prefix(name.as_bytes())?.strip_prefix(b":")
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "{}{names:?}", self.prefix)
    }
}
