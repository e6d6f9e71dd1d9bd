//! Single values, and what of them reaches a disk, an error or a log.

use std::error::Error;

use futures::StreamExt;
use proptest::prelude::*;

use super::*;
use crate::{BackendError, CommitError, MemoryBackend, Problem, UnsealError, tests::block_on};

/// The error with all its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

fn keys(name: &str, length: usize) -> Vec<SealKey> {
    vec![SealKey::new(name, (0..length).map(|n| n as u8).collect())]
}

/// Every provider with a key in our hands, and whether it notices changed and exchanged values.
fn providers() -> Vec<(Provider, bool, bool)> {
    let ring = |ring: Result<KeyRing, _>| Provider::Keys(Arc::new(ring.unwrap()));
    vec![
        (ring(KeyRing::aes_gcm(&keys("g16", 16))), true, true),
        (ring(KeyRing::aes_gcm(&keys("g32", 32))), true, true),
        (ring(KeyRing::secretbox(&keys("s", 32))), true, false),
        (ring(KeyRing::aes_cbc(&keys("c16", 16))), false, false),
        (ring(KeyRing::aes_cbc(&keys("c24", 24))), false, false),
        (ring(KeyRing::aes_cbc(&keys("c32", 32))), false, false),
    ]
}

proptest! {
    #[test]
    fn values_come_back_and_only_unchanged_and_in_their_place(
        value in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        block_on(async {
            for (provider, notices_change, notices_exchange) in providers() {
                let seals = Seals::new(for_secrets(&[provider]));
                let value = Bytes::from([b"{", value.as_slice()].concat());
                let stored = seals.seal(&secret("a"), &value).unwrap();
                prop_assert!(stored.starts_with(b"k8s:enc:"));
                prop_assert!(seals.is_current(&secret("a"), &stored));
                let opened = seals.open(&secret("a"), stored.clone()).await;
                prop_assert_eq!(opened, Ok(value.clone()));
                let elsewhere = seals.open(&secret("b"), stored.clone()).await;
                prop_assert_eq!(elsewhere.is_err(), notices_exchange);
                let mut changed = stored.to_vec();
                changed[at.index(stored.len())] ^= 1_u8 << bit;
                let changed = seals.open(&secret("a"), changed.into()).await;
                prop_assert!(!notices_change || changed.is_err());
                prop_assert!(!notices_exchange || changed != Ok(value));
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_stored_bytes_make_it_panic(garbage in proptest::collection::vec(any::<u8>(), 0..100)) {
        block_on(async {
            for (provider, ..) in providers() {
                let seals = Seals::new(for_secrets(std::slice::from_ref(&provider)));
                let stored = seals.seal(&secret("a"), &Bytes::new()).unwrap();
                let prefix = stored.len().min(22);
                let strange = [&stored[..prefix], garbage.as_slice()].concat();
                let _ = seals.open(&secret("a"), strange.into()).await;
            }
        });
    }
}

#[tokio::test]
async fn errors_name_the_object_the_key_and_what_to_do() {
    let old = Seals::new(for_secrets(&[aes_gcm(&["old"])]));
    let stored = old.seal(&secret("a"), &PLAINTEXT.into()).unwrap();
    let text = |rules| {
        let stored = stored.clone();
        async move {
            let error: BackendError = Seals::new(rules)
                .open(&secret("a"), stored)
                .await
                .unwrap_err()
                .into();
            assert_eq!(error.problem(), Problem::Sealing);
            chain(&error)
        }
    };
    let unknown = text(for_secrets(&[aes_gcm(&["new"]), Provider::Identity])).await;
    for part in [
        "/secrets default/a",
        r#"aesgcm key "old""#,
        "no such key for /secrets: add it",
    ] {
        assert!(unknown.contains(part), "{unknown}");
    }
    assert!(text(SealRules::none()).await.contains("no such key"));
    let wrong = KeyRing::aes_gcm(&[SealKey::new("old", vec![1; 32])]).unwrap();
    let refused = text(for_secrets(&[Provider::Keys(Arc::new(wrong))])).await;
    assert!(refused.contains(r#"aesgcm key "old""#), "{refused}");
    assert!(
        refused.contains("another key once had this name"),
        "{refused}"
    );
    let plain = old.open(&secret("a"), "{}".into()).await.unwrap_err();
    assert!(matches!(plain, UnsealError::Plain { .. }));
    assert!(
        plain.to_string().contains("\"identity\" for /secrets"),
        "{plain}"
    );
}

#[tokio::test]
async fn what_looks_sealed_is_not_stored_unsealed() {
    let store = Store::open(MemoryBackend::new(), StoreOptions::default())
        .await
        .unwrap();
    let strange = put(secret("a"), Expect::Absent, "k8s:enc:aesgcm:v1:x:");
    let error = store.commit(strange).await.unwrap_err();
    assert!(matches!(error, CommitError::Unavailable(_)), "{error:?}");
}

#[test]
fn nothing_prints_a_key() {
    let key = SealKey::new("name", b"0123456789abcdef0123456789abcdef".to_vec());
    let rules = for_secrets(&[Provider::Keys(Arc::new(
        KeyRing::aes_gcm(std::slice::from_ref(&key)).unwrap(),
    ))]);
    let shown = format!("{key:?} {rules:?} {:?}", Seals::new(rules.clone()));
    assert!(shown.contains("name"), "{shown}");
    assert!(
        !shown.contains("0123456789") && !shown.contains("48, 49"),
        "{shown}"
    );
}

#[tokio::test]
async fn no_byte_of_a_secret_reaches_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let seals = Seals::new(for_secrets(&[aes_gcm(&["key1"])]));
    let store = open_sqlite(directory.path(), seals.clone()).await;
    let other = Key::new("/configmaps", "default", "seen");
    store
        .commit(put(other, Expect::Absent, "not-a-secret"))
        .await
        .unwrap();
    let kept = work(&store).await;
    // The WAL and the log table too, before and after the database was closed.
    assert!(
        is_on_disk(directory.path(), b"not-a-secret"),
        "the search finds what is there"
    );
    assert!(!is_on_disk(directory.path(), PLAINTEXT.as_bytes()));

    let stale = put(secret("kept"), Expect::Revision(Revision::new(1)), "x");
    let Err(CommitError::Conflict {
        current: Some(current),
    }) = store.commit(stale).await
    else {
        panic!("no conflict");
    };
    assert_eq!(
        (current.revision, &*current.value),
        (kept, format!("{PLAINTEXT}-2").as_bytes())
    );
    store.close().await;

    assert!(!is_on_disk(directory.path(), PLAINTEXT.as_bytes()));
    let again = open_sqlite(directory.path(), seals).await;
    let logged = again
        .changes(Revision::ZERO)
        .await
        .unwrap()
        .next()
        .await
        .unwrap()
        .unwrap();
    let values: Vec<_> = logged
        .iter()
        .map(|change| {
            (
                change.value.clone(),
                change.previous.clone().map(|p| p.value),
            )
        })
        .collect();
    let value = |n: u32| Bytes::from(format!("{PLAINTEXT}-{n}"));
    assert_eq!(
        values[1..],
        [
            (value(1), None),
            (value(2), Some(value(1))),
            (value(3), None),
            (value(4), Some(value(3))),
        ]
    );
    let old = again
        .list_at("/secrets", None, None, 10, Revision::new(2))
        .await
        .unwrap();
    assert_eq!(old.records[0].value, value(1));
    again.close().await;

    let without = open_sqlite(directory.path(), Seals::default()).await;
    let error = without.load().await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.problem(), Problem::Sealing);
    assert!(
        chain(&error).contains("/secrets default/kept"),
        "{}",
        chain(&error)
    );
    without.close().await;
}
