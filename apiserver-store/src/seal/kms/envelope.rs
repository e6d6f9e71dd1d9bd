//! What a plugin has made of a seed, with kube-apiserver's bounds on it.

use std::collections::BTreeMap;

use prost::Message;
use ring::digest::{SHA256, digest};

use super::{
    KmsError,
    api::{DekSource, EncryptResponse, EncryptedObject},
};

/// In bytes.
const KEY_ID_MAX: usize = 1024;
const SEED_MAX: usize = 1024;
const ANNOTATIONS_MAX: usize = 32 * 1024;

/// A sealed seed (or key) with what the plugin needs to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) key_id: String,
    pub(super) sealed_seed: Vec<u8>,
    pub(super) annotations: BTreeMap<String, Vec<u8>>,
    pub(super) source: DekSource,
}

impl Envelope {
    /// From a plugin's answer.
    pub(super) fn from_answer(answer: EncryptResponse) -> Result<Self, KmsError> {
        Self {
            key_id: answer.key_id,
            sealed_seed: answer.ciphertext,
            annotations: answer.annotations,
            source: DekSource::HkdfSeed,
        }
        .checked()
    }

    /// From what was stored after the prefix: the envelope and the sealed value.
    pub(super) fn parse(stored: &[u8]) -> Result<(Self, Vec<u8>), KmsError> {
        let object = EncryptedObject::decode(stored)
            .map_err(|_| KmsError::Malformed("it is no Protobuf"))?;
        let source = DekSource::try_from(object.encrypted_dek_source_type)
            .map_err(|_| KmsError::Malformed("its kind of key is unknown"))?;
        if object.encrypted_data.is_empty() {
            return Err(KmsError::Malformed("there is no data"));
        }
        let envelope = Self {
            key_id: object.key_id,
            sealed_seed: object.encrypted_dek_source,
            annotations: object.annotations,
            source,
        };
        Ok((envelope.checked()?, object.encrypted_data))
    }

    /// What to store after the prefix.
    pub(super) fn store(&self, sealed: Vec<u8>, out: &mut Vec<u8>) {
        let object = EncryptedObject {
            encrypted_data: sealed,
            key_id: self.key_id.clone(),
            encrypted_dek_source: self.sealed_seed.clone(),
            annotations: self.annotations.clone(),
            encrypted_dek_source_type: self.source.into(),
        };
        out.extend_from_slice(&object.encode_to_vec());
    }

    /// The same for the same envelope, and for no other: under which its seed is remembered.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        self.store(Vec::new(), &mut bytes);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        fingerprint
    }

    fn checked(self) -> Result<Self, KmsError> {
        let annotations: usize = self
            .annotations
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        check_key_id(&self.key_id)?;
        let complaint = match self.sealed_seed.len() {
            0 => Some("the sealed seed is empty"),
            length if length > SEED_MAX => Some("the sealed seed is longer than 1 kB"),
            _ if annotations > ANNOTATIONS_MAX => Some("the annotations are larger than 32 kB"),
            _ if !self.annotations.keys().all(|name| is_qualified(name)) => {
                Some("the name of an annotation is no fully qualified domain name")
            }
            _ => None,
        };
        complaint.map_or(Ok(self), |what| Err(KmsError::Malformed(what)))
    }
}

/// Is it a key id that a plugin may give?
pub(super) fn check_key_id(id: &str) -> Result<(), KmsError> {
    match id.len() {
        0 => Err(KmsError::Malformed("the key id is empty")),
        length if length > KEY_ID_MAX => Err(KmsError::Malformed("the key id is longer than 1 kB")),
        _ => Ok(()),
    }
}

/// A lowercase RFC 1123 name of at least two labels, as upstream wants it.
fn is_qualified(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            key_id: "k".to_owned(),
            sealed_seed: vec![1],
            annotations: BTreeMap::new(),
            source: DekSource::HkdfSeed,
        }
    }

    #[test]
    fn envelopes_come_back() {
        let mut envelope = envelope();
        envelope
            .annotations
            .insert("local.kms.example".to_owned(), vec![2]);
        let mut out = Vec::new();
        envelope.store(vec![3], &mut out);
        assert_eq!(Envelope::parse(&out).unwrap(), (envelope, vec![3]));
    }

    #[test]
    fn upstream_s_bounds_hold() {
        let changed = |change: &dyn Fn(&mut Envelope)| {
            let mut envelope = envelope();
            change(&mut envelope);
            envelope.checked().is_err()
        };
        assert!(!changed(&|_| {}));
        assert!(changed(&|e| e.key_id.clear()));
        assert!(changed(&|e| e.key_id = "x".repeat(1025)));
        assert!(changed(&|e| e.sealed_seed.clear()));
        assert!(changed(&|e| e.sealed_seed = vec![0; 1025]));
        let annotate = |name: &str, size: usize| {
            let name = name.to_owned();
            move |e: &mut Envelope| drop(e.annotations.insert(name.clone(), vec![0; size]))
        };
        assert!(!changed(&annotate("a.b", 1)));
        assert!(changed(&annotate("a", 1)));
        assert!(changed(&annotate("A.b", 1)));
        assert!(changed(&annotate("a.b", 32 * 1024)));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b""[..], b"\x00", b"hello", b"\x0a\x01x"] {
            assert!(Envelope::parse(bytes).is_err());
        }
    }
}
