//! Checks of reading the past.

use super::{Fixture, Op, check_history, open, put, write_some};
use crate::{Expect, Key, ReadError, Revision};

/// A long mixed history, compared with the model at every revision.
pub async fn every_old_revision_can_be_listed<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    // A fixed walk that visits all keys with all operations: multiples of a number prime to both counts.
    let ops: Vec<_> = (0..90)
        .map(|turn| {
            let key = (turn * 7) % Op::KEYS;
            match (turn * 5) % 11 {
                0..=6 => Op::Put(key),
                7..=9 => Op::Delete(key),
                _ => Op::Fail(key),
            }
        })
        .collect();
    check_history(&store, &ops).await;
    store.close().await;
}

/// No collation, no folding: bytes decide, part by part.
pub async fn keys_are_ordered_bytewise<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let parts = ["a", "B", "b", "a-b", "a.b", "ab", "é", "z", "名"];
    let mut keys = Vec::new();
    for namespace in parts {
        for name in parts {
            keys.push(Key::new("/x", namespace, name));
            keys.push(Key::new(format!("{name}/x"), namespace, "n"));
        }
    }
    for key in &keys {
        store
            .commit(put(key, Expect::Absent, "{}"))
            .await
            .expect("creates");
    }
    keys.sort();
    let loaded = store
        .load()
        .await
        .expect("loads")
        .collect()
        .await
        .expect("loads");
    let loaded: Vec<_> = loaded.into_iter().map(|record| record.key).collect();
    assert_eq!(loaded, keys);
    let mut listed: Vec<Key> = Vec::new();
    loop {
        let last = listed
            .last()
            .map(|key| (key.namespace.clone(), key.name.clone()));
        let after = last
            .as_ref()
            .map(|(namespace, name)| (&**namespace, &**name));
        let page = store
            .list_at("/x", None, after, 7, store.committed())
            .await
            .expect("lists");
        listed.extend(page.records.into_iter().map(|record| record.key));
        if !page.more {
            break;
        }
    }
    keys.retain(|key| *key.resource == *"/x");
    assert_eq!(listed, keys);
    store.close().await;
}

/// Only what exists can be shown; a limit of nothing shows nothing.
pub async fn lists_of_the_future_are_refused<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    write_some(&store, 7).await;
    let list = |limit, at| store.list_at("/configmaps", None, None, limit, Revision::new(at));
    let future = list(10, 8).await;
    assert!(
        matches!(future, Err(ReadError::Future { latest }) if latest == Revision::new(7)),
        "{future:?}"
    );
    let none = list(0, 7).await.expect("lists");
    assert!(none.records.is_empty() && none.more);
    let empty = list(0, 0).await.expect("lists");
    assert!(empty.records.is_empty() && !empty.more);
    store.close().await;
}
