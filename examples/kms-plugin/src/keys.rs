//! Keys in a file: one per line, `<id> <base64 of 32 bytes>`. The last line's key seals; all open.

use std::{
    fmt,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};

const NONCE: usize = 12;

/// The file. It is read anew for every call, so that a key that was added counts at once.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

/// One key with its id.
struct Key {
    id: String,
    key: LessSafeKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl KeyFile {
    /// The file at `path`; if there is none, it is made with one new key, readable by its owner only.
    ///
    /// # Errors
    /// If it cannot be made, or is not a file of keys.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = Self {
            path: path.to_owned(),
        };
        if !path.exists() {
            file.rotate()?;
        }
        file.read()?;
        Ok(file)
    }

    /// Adds a new key, which seals from now on. Returns its id.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn rotate(&self) -> anyhow::Result<String> {
        let random = |bytes: &mut [u8]| {
            let filled = SystemRandom::new().fill(bytes);
            filled.map_err(|_| anyhow::anyhow!("the system gives no random bytes"))
        };
        let (mut id, mut key) = ([0; 8], [0; 32]);
        random(&mut id)?;
        random(&mut key)?;
        let id = format!("file-{:016x}", u64::from_be_bytes(id));
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .open(&self.path)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        writeln!(file, "{id} {}", STANDARD.encode(key))?;
        file.sync_all()?;
        Ok(id)
    }

    /// The id of the key that seals.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn current_id(&self) -> anyhow::Result<String> {
        Ok(self.newest()?.id)
    }

    /// Seals with the newest key: its id, and nonce, ciphertext and tag.
    pub(crate) fn seal(&self, plain: &[u8]) -> anyhow::Result<(String, Vec<u8>)> {
        let Key { id, key } = self.newest()?;
        let mut nonce = [0; NONCE];
        if SystemRandom::new().fill(&mut nonce).is_err() {
            bail!("the system gives no random bytes");
        }
        let mut text = plain.to_vec();
        let bound = Nonce::assume_unique_for_key(nonce);
        if key
            .seal_in_place_append_tag(bound, Aad::from(id.as_bytes()), &mut text)
            .is_err()
        {
            bail!("the text is too long");
        }
        Ok((id, [nonce.as_slice(), &text].concat()))
    }

    /// Opens what was sealed with the key of that id.
    pub(crate) fn open_sealed(&self, id: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let Some(Key { key, .. }) = self.read()?.into_iter().find(|key| key.id == id) else {
            bail!("there is no key {id}");
        };
        let Some((nonce, text)) = sealed.split_first_chunk::<NONCE>() else {
            bail!("the ciphertext is too short");
        };
        let mut text = text.to_vec();
        let bound = Nonce::assume_unique_for_key(*nonce);
        let length = match key.open_in_place(bound, Aad::from(id.as_bytes()), &mut text) {
            Ok(plain) => plain.len(),
            Err(_) => bail!("the ciphertext does not open with key {id}"),
        };
        text.truncate(length);
        Ok(text)
    }

    fn newest(&self) -> anyhow::Result<Key> {
        self.read()?
            .pop()
            .with_context(|| format!("{} holds no key", self.path.display()))
    }

    fn read(&self) -> anyhow::Result<Vec<Key>> {
        let text = std::fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .enumerate()
            .map(|(at, line)| {
                let wrong = || format!("line {} is not an id and a key of 32 bytes", at + 1);
                let (id, key) = line.split_once(' ').with_context(wrong)?;
                let key = STANDARD.decode(key.trim()).ok().with_context(wrong)?;
                let key = UnboundKey::new(&AES_256_GCM, &key)
                    .ok()
                    .with_context(wrong)?;
                Ok(Key {
                    id: id.to_owned(),
                    key: LessSafeKey::new(key),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_keys_open_what_they_sealed_after_a_new_one_came() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let file = KeyFile::open(&path).unwrap();
        let (id, sealed) = file.seal(b"seed").unwrap();
        let newer = file.rotate().unwrap();
        assert_ne!(id, newer);
        assert_eq!(file.current_id().unwrap(), newer);
        assert_eq!(file.open_sealed(&id, &sealed).unwrap(), b"seed");
        assert!(file.open_sealed(&newer, &sealed).is_err());
        assert!(file.open_sealed("file-other", &sealed).is_err());
        assert!(file.open_sealed(&id, b"short").is_err());
        let again = KeyFile::open(&path).unwrap();
        assert_eq!(again.open_sealed(&id, &sealed).unwrap(), b"seed");
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, "not keys at all\n").unwrap();
        let error = KeyFile::open(&path).unwrap_err();
        assert!(format!("{error:#}").contains("line 1"), "{error:#}");
    }
}
