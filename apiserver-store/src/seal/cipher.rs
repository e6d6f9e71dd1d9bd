//! What all ways to seal with a key in our hands have in common.

/// Why bytes were not sealed or opened. Says nothing of what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// The operating system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
    /// More than the cipher can take at once.
    #[error("the value is too long for the cipher")]
    TooLong,
    /// Shorter than anything that was sealed can be.
    #[error("what is stored is too short")]
    Short,
    /// Not sealed with this key, not for this object, or changed since.
    #[error("it does not open with this key")]
    Refused,
}

/// Seals values with one key.
pub(super) trait Cipher: Send + Sync {
    /// Appends what is to be stored for `plain`.
    fn seal(&self, plain: &[u8], path: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError>;

    /// The value that was sealed for `path`.
    fn open(&self, sealed: &[u8], path: &[u8]) -> Result<Vec<u8>, CipherError>;
}
