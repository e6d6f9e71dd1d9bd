//! The rules in effect, and values passing through them.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;

use super::{
    Provider, SealError, SealRules, Trouble, UnsealError,
    path::storage_path,
    rules::{Attempt, SEALED},
};
use crate::{Change, Key, Record};

/// Seals values on their way into the database and opens them on their way out. Clones are handles to the same rules, which can be
/// replaced at any time.
#[derive(Clone, Default)]
pub struct Seals {
    rules: Arc<RwLock<Arc<SealRules>>>,
}

impl Seals {
    /// With these rules.
    pub fn new(rules: SealRules) -> Self {
        let seals = Self::default();
        seals.replace(rules);
        seals
    }

    /// Has everything from now on go by other rules. Plugins that only the old rules use are no longer asked.
    pub fn replace(&self, rules: SealRules) {
        // The lock guards one pointer, which is always whole.
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// The rules in effect.
    pub fn rules(&self) -> Arc<SealRules> {
        self.rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What to store for an object's value. Does no I/O.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal(&self, key: &Key, value: &Bytes) -> Result<Bytes, SealError> {
        let rules = self.rules();
        let first = rules.providers(&key.resource).first();
        match first.and_then(|provider| provider.seal(value, &storage_path(key))) {
            Some(Ok(sealed)) => Ok(sealed.into()),
            Some(Err(trouble)) => Err(SealError::Provider {
                key: key.clone(),
                trouble,
            }),
            None if value.starts_with(SEALED) => Err(SealError::LooksSealed(key.clone())),
            None => Ok(value.clone()),
        }
    }

    /// The value that was stored for an object. Asks a KMS plugin if it is sealed with a seed that is not known yet.
    ///
    /// # Errors
    /// See [`UnsealError`].
    pub async fn open(&self, key: &Key, stored: Bytes) -> Result<Bytes, UnsealError> {
        let rules = self.rules();
        let providers = rules.providers(&key.resource);
        if !stored.starts_with(SEALED) {
            let allowed = providers
                .iter()
                .any(|provider| matches!(provider, Provider::Identity));
            return match allowed {
                true => Ok(stored),
                false => Err(UnsealError::Plain { key: key.clone() }),
            };
        }
        let path = storage_path(key);
        let mut trouble: Option<Trouble> = None;
        for provider in providers {
            match provider.open(&stored, &path).await {
                Attempt::NotMine => {}
                Attempt::Mine(Ok(plain)) => return Ok(plain.into()),
                // Another provider may have a key of the same name: while one replaces the other.
                Attempt::Mine(Err(error)) => trouble = Some(error),
            }
        }
        Err(match trouble {
            Some(trouble) => UnsealError::trouble(key, &stored, trouble),
            None => UnsealError::unknown_key(key, &stored),
        })
    }

    /// Is the value stored as it would be stored now, by its resource's first provider and with that one's first key?
    pub(crate) fn is_current(&self, key: &Key, stored: &[u8]) -> bool {
        let rules = self.rules();
        rules
            .providers(&key.resource)
            .first()
            .is_some_and(|provider| provider.is_current(stored, &storage_path(key)))
    }

    pub(crate) async fn open_record(&self, mut record: Record) -> Result<Record, UnsealError> {
        record.value = self.open(&record.key, record.value).await?;
        Ok(record)
    }

    pub(crate) async fn open_change(&self, mut change: Change) -> Result<Change, UnsealError> {
        change.value = self.open(&change.key, change.value).await?;
        if let Some(mut previous) = change.previous.take() {
            previous.value = self.open(&change.key, previous.value).await?;
            change.previous = Some(previous);
        }
        Ok(change)
    }
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules().fmt(f)
    }
}
