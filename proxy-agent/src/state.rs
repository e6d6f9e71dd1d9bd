//! The agent's identity in files.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use federation_tunnel::identity::MemberAccount;
use federation_tunnel::{IdentityStore, StoredIdentity};

/// Where a bootstrap token comes from, in this order.
#[derive(Clone, Default)]
pub(crate) struct TokenSource {
    pub(crate) given: Option<String>,
    pub(crate) files: Vec<PathBuf>,
}

impl TokenSource {
    fn read(&self) -> io::Result<Option<String>> {
        if let Some(token) = &self.given {
            return Ok(Some(token.trim().to_owned()));
        }
        for file in &self.files {
            if let Some(token) = read_if_there(file)? {
                return Ok(Some(token.trim().to_owned()));
            }
        }
        Ok(None)
    }
}

/// An identity in a directory of its own, mode 0700: `identity.pem` holds key and chain together, so that they are replaced together, mode 0600;
/// `authorities.pem` whom to trust. `next-key.pem` is there only while a token is shown for a certificate in place of another.
#[derive(Clone)]
pub struct FileIdentity {
    directory: PathBuf,
    token: TokenSource,
    account: Option<PathBuf>,
}

impl std::fmt::Debug for FileIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileIdentity({})", self.directory.display())
    }
}

const IDENTITY: &str = "identity.pem";
const AUTHORITIES: &str = "authorities.pem";
const NEXT_KEY: &str = "next-key.pem";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

impl FileIdentity {
    /// Opens or makes the directory. The bootstrap token, if one is needed, is the one in `token_file`.
    ///
    /// # Errors
    /// If the directory cannot be made or used.
    pub fn open(directory: &Path, token_file: Option<&Path>) -> io::Result<Self> {
        let files = token_file.map(Path::to_owned).into_iter().collect();
        Self::with_token(directory, TokenSource { given: None, files })
    }

    pub(crate) fn with_token(directory: &Path, token: TokenSource) -> io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            token,
            account: None,
        })
    }

    /// Hands the account in `directory` (`token`, `ca.crt`: a mounted Secret of a service account) to the hub with each request for a certificate.
    #[must_use]
    pub fn with_account(self, directory: &Path) -> Self {
        Self {
            account: Some(directory.to_owned()),
            ..self
        }
    }

    /// Replaces a file, all or nothing; errors name it.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.directory.join(name);
        self.replace(name, text)
            .map_err(|error| named(&path, &error))
    }

    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let temporary = self.directory.join(format!(".{name}.new"));
        remove_if_there(&temporary)?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, self.directory.join(name))?;
        std::fs::File::open(&self.directory)?.sync_all()
    }
}

fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(path, &error)),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[async_trait]
impl IdentityStore for FileIdentity {
    async fn load(&self) -> io::Result<Option<StoredIdentity>> {
        let Some(identity) = read_if_there(&self.directory.join(IDENTITY))? else {
            return Ok(None);
        };
        let chain = identity.find(CERTIFICATE).unwrap_or(identity.len());
        let authorities = read_if_there(&self.directory.join(AUTHORITIES))?;
        Ok(Some(StoredIdentity {
            key_pem: identity[..chain].to_owned(),
            chain_pem: identity[chain..].to_owned(),
            authorities_pem: authorities.unwrap_or_default(),
            next_key_pem: read_if_there(&self.directory.join(NEXT_KEY))?.unwrap_or_default(),
        }))
    }

    async fn save(&self, identity: &StoredIdentity) -> io::Result<()> {
        if !identity.authorities_pem.is_empty() {
            self.write(AUTHORITIES, &identity.authorities_pem)?;
        }
        if !identity.next_key_pem.is_empty() {
            self.write(NEXT_KEY, &identity.next_key_pem)?;
        }
        let text = format!("{}{}", identity.key_pem, identity.chain_pem);
        self.write(IDENTITY, &text)?;
        if identity.next_key_pem.is_empty() {
            remove_if_there(&self.directory.join(NEXT_KEY))?;
        }
        Ok(())
    }

    async fn token(&self) -> io::Result<Option<String>> {
        self.token.read()
    }

    /// An account that is not there yet is waited for: the member's controllers fill it in a moment after the Pod starts.
    async fn account(&self) -> io::Result<Option<MemberAccount>> {
        let Some(directory) = &self.account else {
            return Ok(None);
        };
        let read = |name: &str| {
            let path = directory.join(name);
            let text = std::fs::read_to_string(&path).map_err(|error| named(&path, &error))?;
            if text.trim().is_empty() {
                let empty = format!("{} is empty", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, empty));
            }
            Ok(text)
        };
        Ok(Some(MemberAccount {
            token: read("token")?.trim().to_owned(),
            authority_pem: read("ca.crt")?,
        }))
    }
}

/// A certificate and a key that someone else puts into two files and renews there.
#[derive(Clone, Debug)]
pub struct GivenFiles {
    /// The chain, PEM, leaf first.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

#[async_trait]
impl IdentityStore for GivenFiles {
    async fn load(&self) -> io::Result<Option<StoredIdentity>> {
        match (read_if_there(&self.key)?, read_if_there(&self.certificate)?) {
            (Some(key_pem), Some(chain_pem)) => Ok(Some(StoredIdentity {
                key_pem,
                chain_pem,
                ..StoredIdentity::default()
            })),
            _ => Ok(None),
        }
    }

    async fn save(&self, _: &StoredIdentity) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the certificate is someone else's to renew",
        ))
    }

    async fn token(&self) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn is_managed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn what_is_saved_is_read_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("a/b");
        let token = directory.path().join("token");
        let store = FileIdentity::open(&state, Some(&token)).unwrap();
        assert_eq!(store.load().await.unwrap(), None);
        assert_eq!(store.token().await.unwrap(), None);
        std::fs::write(&token, "t\n").unwrap();
        assert_eq!(store.token().await.unwrap().as_deref(), Some("t"));
        let key = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
        let certificate = format!("{CERTIFICATE}\nAA==\n-----END CERTIFICATE-----\n");
        for (chain, next) in [("", ""), (&*certificate.repeat(2), key), (&certificate, "")] {
            let identity = StoredIdentity {
                key_pem: key.to_owned(),
                next_key_pem: next.to_owned(),
                chain_pem: chain.to_owned(),
                authorities_pem: certificate.clone(),
            };
            store.save(&identity).await.unwrap();
            assert_eq!(store.load().await.unwrap(), Some(identity));
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join(IDENTITY)), 0o600);
        assert_eq!(
            std::fs::read_dir(&state).unwrap().count(),
            2,
            "nothing is left behind"
        );
    }
}
