//! Key material: overwritten when it is dropped, and never shown.

use std::fmt;

use zeroize::Zeroizing;

use super::{CipherError, gcm::random};

/// Bytes that are a key, or that a key can be had from.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes; whoever copies them has to clear the copy.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} secret bytes>", self.0.len())
    }
}

/// A key with the name under which it is found again: it stands in plain text before what the key has sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealKey {
    /// Unique among the keys that are in use or were; without a colon, which ends it in what is stored.
    pub name: String,
    /// The key itself.
    pub secret: Secret,
}

impl SealKey {
    /// Puts a key together.
    pub fn new(name: impl Into<String>, secret: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            secret: Secret::new(secret),
        }
    }

    /// A new random key of 32 bytes. Its name is the prefix and eight random hexadecimal digits.
    ///
    /// # Errors
    /// [`CipherError::Randomness`].
    pub fn generate(prefix: &str) -> Result<Self, CipherError> {
        let number = u32::from_be_bytes(random()?);
        let key = Zeroizing::new(random::<32>()?);
        Ok(Self::new(format!("{prefix}{number:08x}"), key.to_vec()))
    }
}
