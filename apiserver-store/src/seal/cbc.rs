//! AES-CBC with PKCS#7 padding, kube-apiserver's `aescbc`.
//!
//! It hides values and does not protect them: a changed one may open as something else, and it knows nothing of where a value belongs.
//! There for what kube-apiserver has sealed with it.

use aes::{Aes128, Aes192, Aes256, cipher::KeyIvInit};
use cbc::{
    Decryptor, Encryptor,
    cipher::{BlockModeDecrypt, BlockModeEncrypt, block_padding::Pkcs7},
};

use super::{
    cipher::{Cipher, CipherError},
    gcm::random,
    secret::Secret,
};

const BLOCK: usize = 16;

/// A key of 16, 24 or 32 bytes.
pub(super) struct Cbc(Secret);

impl Cbc {
    /// `None` for any other length.
    pub(super) fn new(key: &Secret) -> Option<Self> {
        matches!(key.expose().len(), 16 | 24 | 32).then(|| Self(key.clone()))
    }
}

impl Cipher for Cbc {
    fn seal(&self, plain: &[u8], _path: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        let iv = random::<BLOCK>()?;
        let key = self.0.expose();
        out.extend_from_slice(&iv);
        let start = out.len();
        out.resize(start + (plain.len() / BLOCK + 1) * BLOCK, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let done = match key.len() {
            16 => Encryptor::<Aes128>::new_from_slices(key, &iv)
                .map(|mode| mode.encrypt_padded_b2b::<Pkcs7>(plain, room).is_ok()),
            24 => Encryptor::<Aes192>::new_from_slices(key, &iv)
                .map(|mode| mode.encrypt_padded_b2b::<Pkcs7>(plain, room).is_ok()),
            _ => Encryptor::<Aes256>::new_from_slices(key, &iv)
                .map(|mode| mode.encrypt_padded_b2b::<Pkcs7>(plain, room).is_ok()),
        };
        match done {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(CipherError::TooLong),
        }
    }

    fn open(&self, sealed: &[u8], _path: &[u8]) -> Result<Vec<u8>, CipherError> {
        let (iv, text) = sealed
            .split_first_chunk::<BLOCK>()
            .filter(|(_, text)| !text.is_empty())
            .ok_or(CipherError::Short)?;
        let key = self.0.expose();
        let mut text = text.to_vec();
        let plain = match key.len() {
            16 => Decryptor::<Aes128>::new_from_slices(key, iv).map(|mode| {
                mode.decrypt_padded::<Pkcs7>(&mut text)
                    .map(<[u8]>::len)
                    .ok()
            }),
            24 => Decryptor::<Aes192>::new_from_slices(key, iv).map(|mode| {
                mode.decrypt_padded::<Pkcs7>(&mut text)
                    .map(<[u8]>::len)
                    .ok()
            }),
            _ => Decryptor::<Aes256>::new_from_slices(key, iv).map(|mode| {
                mode.decrypt_padded::<Pkcs7>(&mut text)
                    .map(<[u8]>::len)
                    .ok()
            }),
        };
        let length = plain.ok().flatten().ok_or(CipherError::Refused)?;
        text.truncate(length);
        Ok(text)
    }
}
