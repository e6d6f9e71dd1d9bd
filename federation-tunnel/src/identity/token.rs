//! One-time bootstrap tokens: what an operator carries into a member once.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sha2::{Digest, Sha256};

use super::{Cause, hex};
use crate::cluster::ClusterId;
use crate::seams::Seams;

/// Not a bootstrap token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a bootstrap token: <16 hexadecimal digits>.<64 hexadecimal digits>")]
pub struct TokenError;

/// The public half of a token: may be in logs and object names. 16 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(String);

impl TokenId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl FromStr for TokenId {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if is_hex(text, 16) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError)
        }
    }
}

/// A token: `<id>.<secret>`. `Debug` shows the id only.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    id: TokenId,
    secret: String,
}

impl BootstrapToken {
    /// A new token of 256 secret bits.
    #[must_use]
    pub fn generate(seams: &Seams) -> Self {
        let id = format!("{:032x}", seams.random());
        Self {
            id: TokenId(id[..16].to_owned()),
            secret: format!("{:032x}{:032x}", seams.random(), seams.random()),
        }
    }

    /// The public half.
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// What a store keeps of the secret: SHA-256 of the whole token. No salt and no stretching: the secret is random and long.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.expose().as_bytes()).into()
    }

    /// The token as the operator carries it: a secret.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}.{}", self.id.0, self.secret)
    }
}

impl FromStr for BootstrapToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let (id, secret) = text.trim().split_once('.').ok_or(TokenError)?;
        if !is_hex(secret, 64) {
            return Err(TokenError);
        }
        Ok(Self {
            id: id.parse()?,
            secret: secret.to_owned(),
        })
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootstrapToken({}.<secret>)", self.id)
    }
}

/// The hash of a public key: tells who used a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// Of a public key's bytes.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({self})")
    }
}

/// What a hub keeps of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// [`BootstrapToken::digest`]. Never the token itself.
    pub digest: [u8; 32],
    /// The one cluster that it is for.
    pub cluster: ClusterId,
    /// From when on it is worth nothing.
    pub expires: UnixTime,
    /// The key that used it.
    pub used_by: Option<KeyDigest>,
}

/// Outcome of using a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is this key's: it was free, or the key had used it before.
    Granted,
    /// Another key has used it.
    Taken,
    /// It is gone.
    Gone,
}

/// A store of tokens did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the store of bootstrap tokens does not answer")]
pub struct TokenStoreError(#[source] pub Cause);

/// Where a hub keeps tokens: on Secrets, in memory.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Reads a token's record. Expired ones may be gone.
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, TokenStoreError>;

    /// Notes that `key` uses the token, in one atomic step (compare and swap) among all hub processes, and durably before it returns. A key that
    /// lost the answer may ask again and is granted; any other key finds it taken.
    async fn claim(&self, id: &TokenId, key: KeyDigest) -> Result<Claim, TokenStoreError>;
}

/// Tokens in memory: for tests, and for hubs of one process whose tokens need not survive it. Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct MemoryTokens(Arc<Mutex<HashMap<TokenId, TokenRecord>>>);

impl MemoryTokens {
    /// Makes and keeps a token for a cluster, that ends `life` from now.
    #[must_use]
    pub fn issue(&self, cluster: &ClusterId, life: Duration, seams: &Seams) -> BootstrapToken {
        let token = BootstrapToken::generate(seams);
        let expires = Duration::from_secs(seams.now().as_secs()) + life;
        let record = TokenRecord {
            digest: token.digest(),
            cluster: cluster.clone(),
            expires: UnixTime::since_unix_epoch(expires),
            used_by: None,
        };
        self.lock().insert(token.id().clone(), record);
        token
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TokenId, TokenRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenStore for MemoryTokens {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, TokenStoreError> {
        Ok(self.lock().get(id).cloned())
    }

    async fn claim(&self, id: &TokenId, key: KeyDigest) -> Result<Claim, TokenStoreError> {
        let mut records = self.lock();
        let Some(record) = records.get_mut(id) else {
            return Ok(Claim::Gone);
        };
        Ok(if *record.used_by.get_or_insert(key) == key {
            Claim::Granted
        } else {
            Claim::Taken
        })
    }
}
