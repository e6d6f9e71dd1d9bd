//! Sealing through a whole store.

mod kms;
mod rotation;
mod suite;
mod values;

use std::{path::Path, sync::Arc};

use bytes::Bytes;

use super::{KeyRing, Provider, ResourcePattern, SealKey, SealRules, Seals};
use crate::{
    Action, Expect, Key, Mutation, Revision, SqliteBackend, SqliteOptions, Store, StoreOptions,
};

/// Words that must not be found on a disk.
const PLAINTEXT: &str = "correct-horse-battery-staple";

fn secret(name: &str) -> Key {
    Key::new("/secrets", "default", name)
}

/// A provider whose key is made from its name.
fn aes_gcm(names: &[&str]) -> Provider {
    let keys: Vec<SealKey> = names
        .iter()
        .map(|name| {
            let mut key = vec![0x5a; 32];
            for (at, byte) in name.bytes().enumerate() {
                key[at % 32] ^= byte;
            }
            SealKey::new(*name, key)
        })
        .collect();
    Provider::Keys(Arc::new(KeyRing::aes_gcm(&keys).unwrap()))
}

fn for_secrets(providers: &[Provider]) -> SealRules {
    let mut rules = SealRules::none();
    rules.add(ResourcePattern::Resource("/secrets".to_owned()), providers);
    rules
}

fn put(key: Key, expect: Expect, value: impl Into<Bytes>) -> Mutation {
    Mutation {
        key,
        expect,
        action: Action::Put(value.into()),
    }
}

async fn open_sqlite(directory: &Path, seals: Seals) -> Store {
    let backend = SqliteBackend::open(SqliteOptions::new(directory))
        .await
        .unwrap();
    let options = StoreOptions {
        retention: None,
        seals,
        ..StoreOptions::default()
    };
    Store::open(backend, options).await.unwrap()
}

/// All current values with their names.
async fn all(store: &Store) -> Vec<(String, Bytes)> {
    let records = store.load().await.unwrap().collect().await.unwrap();
    records
        .into_iter()
        .map(|record| (record.key.name.to_string(), record.value))
        .collect()
}

/// Does any file below the directory hold these bytes?
fn is_on_disk(directory: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

/// Creates, replaces and deletes secrets. Returns the revision of the one that stays.
async fn work(store: &Store) -> Revision {
    let value = |n: u32| format!("{PLAINTEXT}-{n}");
    let kept = put(secret("kept"), Expect::Absent, value(1));
    let first = store.commit(kept).await.unwrap();
    let kept = put(secret("kept"), Expect::Revision(first), value(2));
    let second = store.commit(kept).await.unwrap();
    let gone = put(secret("gone"), Expect::Absent, value(3));
    let gone = store.commit(gone).await.unwrap();
    let delete = Mutation {
        key: secret("gone"),
        expect: Expect::Revision(gone),
        action: Action::Delete(value(4).into()),
    };
    store.commit(delete).await.unwrap();
    second
}
