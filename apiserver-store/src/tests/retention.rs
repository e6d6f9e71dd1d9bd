//! Automatic compaction, with the clock in our hands.

use std::time::Duration;

use super::create;
use crate::{MemoryBackend, ReadError, Retention, Revision, Store, StoreOptions};

fn retention(changes: u64, bytes: u64) -> StoreOptions {
    let retention = Retention {
        age: Duration::from_secs(300),
        changes,
        bytes,
    };
    StoreOptions {
        retention: Some(retention),
        ..StoreOptions::default()
    }
}

async fn write(store: &Store, prefix: &str, count: usize) {
    for turn in 0..count {
        store
            .commit(create(&format!("{prefix}{turn}"), "0123456789"))
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn old_changes_go_and_the_newest_stay() {
    let store = Store::open(MemoryBackend::new(), retention(20, 1 << 20))
        .await
        .unwrap();
    write(&store, "a", 100).await;
    tokio::time::sleep(Duration::from_secs(200)).await;
    write(&store, "b", 50).await;
    assert_eq!(store.compacted(), Revision::ZERO);
    tokio::time::sleep(Duration::from_secs(130)).await;
    // The first hundred are too old; the clock's marks are ten seconds apart.
    let compacted = store.compacted().get();
    assert!((1..=100).contains(&compacted), "{compacted}");
    let old = store.changes(Revision::ZERO).await;
    assert!(matches!(old, Err(ReadError::Compacted { .. })));
    tokio::time::sleep(Duration::from_secs(10_000)).await;
    assert_eq!(store.compacted(), Revision::new(130));
    store.changes(Revision::new(130)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn too_much_goes_however_young() {
    let store = Store::open(MemoryBackend::new(), retention(20, 1000))
        .await
        .unwrap();
    write(&store, "a", 500).await;
    tokio::time::sleep(Duration::from_secs(21)).await;
    // A thousand bytes are the last hundred changes.
    let compacted = store.compacted().get();
    assert!((400..=410).contains(&compacted), "{compacted}");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_counts() {
    let backend = MemoryBackend::new();
    let store = Store::open(backend.clone(), retention(20, 1000))
        .await
        .unwrap();
    write(&store, "a", 500).await;
    store.close().await;
    let store = Store::open(backend, retention(20, 1000)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(store.compacted(), Revision::new(500));
}
