//! Checks of backup and restore.

use std::time::UNIX_EPOCH;

use futures::{StreamExt, stream};

use super::{Fixture, open, options, put, write_some};
use crate::{
    Backend, BackendError, Expect, Head, Key, Problem, ReadError, Record, RestoreError, Revision,
    Store, backup, check_backup, restore,
};

/// All objects come back as they were, in a new epoch that no client of the old one can take for its own; a
/// damaged file and a database that has something in it are refused.
pub async fn a_backup_is_restored_far_ahead<F: Fixture>() {
    let source = F::new().await;
    let store = open(&source).await;
    write_some(&store, 70).await;
    let before = store.load().await.expect("loads");
    let before = before.collect().await.expect("loads");
    store.close().await;
    let backend = source.open().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("backup");
    let mut file = tokio::fs::File::create(&path).await.expect("a file");
    let written = backup(&backend, &mut file).await.expect("backs up");
    assert_eq!((written.revision.get(), written.objects), (70, 5));
    assert_eq!(check_backup(&path).expect("intact"), written);
    assert!(matches!(
        restore(&backend, &path, UNIX_EPOCH).await,
        Err(RestoreError::NotEmpty)
    ));
    backend.close().await.expect("closes");

    let target = F::new().await;
    let backend = target.open().await;
    let whole = std::fs::read(&path).expect("readable");
    let other = directory.path().join("damaged");
    for place in [0, 20, 33, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&other, damaged).expect("writable");
        let refused = restore(&backend, &other, UNIX_EPOCH).await;
        assert!(
            matches!(refused, Err(RestoreError::Damaged(_))),
            "{place}: {refused:?}"
        );
    }
    std::fs::write(&other, &whole[..whole.len() - 40]).expect("writable");
    assert!(matches!(
        restore(&backend, &other, UNIX_EPOCH).await,
        Err(RestoreError::Damaged(_))
    ));
    assert_eq!(
        restore(&backend, &path, UNIX_EPOCH)
            .await
            .expect("restores"),
        written
    );
    let store = Store::open(backend, options::<F>()).await.expect("opens");
    let after = store
        .load()
        .await
        .expect("loads")
        .collect()
        .await
        .expect("loads");
    assert!(after == before);
    assert_eq!(store.epoch(), written.epoch + 1);
    let start = store.committed();
    assert!(start.get() > 1 << 32);
    for lost in [60, 70, 75, 100_000] {
        let followed = store.changes(Revision::new(lost)).await;
        assert!(
            matches!(followed, Err(ReadError::Compacted { .. })),
            "{lost}"
        );
    }
    let key = Key::new("/configmaps", "default", "new");
    let next = store
        .commit(put(&key, Expect::Absent, "{}"))
        .await
        .expect("creates");
    assert_eq!(next, start.next());
    store.close().await;
}

/// A restore that breaks off has changed nothing, and can be begun anew.
pub async fn a_restore_happens_wholly_or_not_at_all<F: Fixture>() {
    let target = F::new().await;
    let backend = target.open().await;
    let head = Head {
        revision: Revision::new(1000),
        compacted: Revision::new(1000),
        epoch: 2,
    };
    let record = |number: u64| Record {
        key: Key::new("/configmaps", "default", format!("{number:04}")),
        value: vec![b'x'; 1000].into(),
        revision: Revision::new(number),
        create_revision: Revision::new(number),
    };
    let broken = move |number| match number {
        200 => Err(BackendError::new(Problem::Other, "the file ends")),
        _ => Ok(record(number)),
    };
    let filled = backend.fill(head, stream::iter((1..=300).map(broken)).boxed());
    assert!(filled.await.is_err());
    let found = backend.head().await.expect("readable");
    assert_eq!(found.revision, Revision::ZERO);
    let records = backend.load().await.expect("loads").collect().await;
    assert!(records.expect("loads").is_empty());
    let whole = stream::iter((1..=300).map(move |number| Ok(record(number))));
    assert!(backend.fill(head, whole.boxed()).await.expect("restores"));
    assert_eq!(backend.head().await.expect("readable"), head);
    let records = backend.load().await.expect("loads").collect().await;
    assert_eq!(records.expect("loads").len(), 300);
    backend.close().await.expect("closes");
}
