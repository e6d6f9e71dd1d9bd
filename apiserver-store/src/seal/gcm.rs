//! AES-GCM in kube-apiserver's two forms: one key with random nonces (`aesgcm`), and a key of its own per value, derived from a seed
//! (KMS v2).
//!
//! Nonces come from the operating system and through no seam: whatever could choose one could also repeat one.

use ring::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{self, HKDF_SHA256, Prk},
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use super::cipher::{Cipher, CipherError};

const NONCE: usize = 12;
const TAG: usize = 16;
/// Length of the random bytes that a value's own key is derived with, and of a seed at least.
const INFO: usize = 32;

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], CipherError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CipherError::Randomness)?;
    Ok(bytes)
}

/// A key that seals many values, each with a random nonce: the chance that one repeats stays below 2^-32 for 2^32 values
/// (NIST SP 800-38D, 8.3).
pub(super) struct Gcm(LessSafeKey);

impl Gcm {
    /// A key of 16 or 32 bytes; `None` for any other length.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return None,
        };
        let key = UnboundKey::new(algorithm, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Appends nonce, ciphertext and tag.
    fn append(&self, plain: &[u8], path: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        let nonce = random::<NONCE>()?;
        out.reserve(NONCE + plain.len() + TAG);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let text = out.get_mut(start..).unwrap_or_default();
        let sealed = self.0.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(path),
            text,
        );
        match sealed {
            Ok(tag) => out.extend_from_slice(tag.as_ref()),
            Err(_) => {
                // Not sealed, so it must not be there either.
                out.truncate(start);
                return Err(CipherError::TooLong);
            }
        }
        Ok(())
    }
}

impl Cipher for Gcm {
    fn seal(&self, plain: &[u8], path: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        self.append(plain, path, out)
    }

    fn open(&self, sealed: &[u8], path: &[u8]) -> Result<Vec<u8>, CipherError> {
        let (nonce, text) = sealed
            .split_first_chunk::<NONCE>()
            .filter(|(_, text)| text.len() >= TAG)
            .ok_or(CipherError::Short)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .0
            .open_in_place(nonce, Aad::from(path), &mut text)
            .map_err(|_| CipherError::Refused)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

/// A seed: every value is sealed with a key of its own, HKDF-Expand-SHA256 of the seed with 32 random bytes that are stored before
/// it. So there is no limit to the values that one seed can seal.
pub(super) struct SeededGcm(Prk);

struct KeyLength;

impl hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

impl SeededGcm {
    /// From a seed of at least 32 bytes; `None` if it is shorter.
    pub(super) fn new(seed: &[u8]) -> Option<Self> {
        (seed.len() >= INFO).then(|| Self(Prk::new_less_safe(HKDF_SHA256, seed)))
    }

    fn derive(&self, info: &[u8]) -> Option<Gcm> {
        let mut key = Zeroizing::new([0; 32]);
        let info = [info];
        let derived = self.0.expand(&info, KeyLength).ok()?;
        derived.fill(key.as_mut_slice()).ok()?;
        Gcm::new(key.as_slice())
    }
}

impl Cipher for SeededGcm {
    fn seal(&self, plain: &[u8], path: &[u8], out: &mut Vec<u8>) -> Result<(), CipherError> {
        let info = random::<INFO>()?;
        let key = self.derive(&info).ok_or(CipherError::Refused)?;
        out.extend_from_slice(&info);
        key.append(plain, path, out)
    }

    fn open(&self, sealed: &[u8], path: &[u8]) -> Result<Vec<u8>, CipherError> {
        let (info, rest) = sealed
            .split_first_chunk::<INFO>()
            .ok_or(CipherError::Short)?;
        let key = self.derive(info).ok_or(CipherError::Refused)?;
        key.open(rest, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16 (AES-256, 20 bytes of additional data).
    #[test]
    fn the_published_vector_opens() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                .collect()
        };
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let mut sealed = hex("cafebabefacedbaddecaf888");
        sealed.extend(hex(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        ));
        sealed.extend(hex("76fc6ece0f4e1768cddf8853bb2d551b"));
        let path = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        assert_eq!(Gcm::new(&key).unwrap().open(&sealed, &path), Ok(plain));
        assert_eq!(
            Gcm::new(&key).unwrap().open(&sealed, b"elsewhere"),
            Err(CipherError::Refused)
        );
    }

    #[test]
    fn no_two_seals_of_one_value_are_alike() {
        let seeded = SeededGcm::new(&[7; 32]).unwrap();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        seeded.seal(b"value", b"/a", &mut first).unwrap();
        seeded.seal(b"value", b"/a", &mut second).unwrap();
        assert_ne!(first, second);
        assert_ne!(first[..INFO], second[..INFO]);
        assert_eq!(seeded.open(&second, b"/a").unwrap(), b"value");
    }
}
