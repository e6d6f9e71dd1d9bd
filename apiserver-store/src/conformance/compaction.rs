//! Checks of forgetting.

use futures::StreamExt;

use super::{Fixture, Model, history, open, put, read_through, write_some};
use crate::{CompactError, Expect, Key, ReadError, Revision};

/// The compacted revision stays readable, everything below it is refused, and the rest is untouched.
pub async fn compaction_forgets_exactly_what_it_says<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    write_some(&store, 40).await;
    let all = history(&store).await;
    let model = Model::of(&all);
    let future = store.compact(Revision::new(41)).await;
    assert!(matches!(future, Err(CompactError::Future { latest }) if latest.get() == 40));
    assert_eq!(store.compacted(), Revision::ZERO);

    let oldest = Revision::new(25);
    let report = store.compact(oldest).await.expect("compacts");
    assert_eq!((report.compacted, report.removed), (oldest, 25));
    assert_eq!(store.compacted(), oldest);
    for at in 0..25 {
        let at = Revision::new(at);
        let list = store.list_at("/configmaps", None, None, 10, at).await;
        assert!(
            matches!(list, Err(ReadError::Compacted { oldest: o }) if o == oldest),
            "{list:?}"
        );
        let changes = store.changes(at).await;
        assert!(matches!(changes, Err(ReadError::Compacted { oldest: o }) if o == oldest));
    }
    super::model::compare_lists(&store, &model).await;
    super::model::compare_load(&store, &model).await;
    let mut stream = store.changes(oldest).await.expect("opens");
    let rest = read_through(&mut stream, oldest, Revision::new(40)).await;
    assert!(rest == all[25..]);

    let again = store
        .compact(Revision::new(10))
        .await
        .expect("does nothing");
    assert_eq!((again.compacted, again.removed), (oldest, 0));
    let whole = store.compact(Revision::new(40)).await.expect("compacts");
    assert_eq!((whole.compacted.get(), whole.removed), (40, 15));
    super::model::compare_lists(&store, &model).await;
    write_some_more(&store).await;
    store.close().await;
}

/// The counter does not depend on the log.
async fn write_some_more(store: &crate::Store) {
    let key = Key::new("/configmaps", "default", "after-compaction");
    let next = store.committed().next();
    let revision = store
        .commit(put(&key, Expect::Absent, "{}"))
        .await
        .expect("creates");
    assert_eq!(revision, next);
}

/// Writing, streaming and compacting at the same time.
pub async fn compaction_does_not_disturb_writers<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let writer = store.clone();
    let writing = tokio::spawn(async move { write_some(&writer, 200).await });
    let mut stream = store.changes(Revision::ZERO).await.expect("opens");
    let mut cursor = Revision::ZERO;
    while cursor.get() < 200 {
        let batch = stream.next().await.expect("goes on").expect("it keeps up");
        for change in batch.iter() {
            assert_eq!(change.revision, cursor.next());
            cursor = change.revision;
        }
        store.compact(cursor).await.expect("compacts");
        let now = store.load().await.expect("loads");
        assert!(now.revision >= cursor);
    }
    writing.await.expect("the writer is done");
    assert_eq!(store.compacted().get(), 200);
    store.close().await;
}

/// A stream never skips: if what it needs is gone, it says so and ends.
pub async fn a_stream_that_falls_behind_compaction_is_told<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let mut slow = store.changes(Revision::ZERO).await.expect("opens");
    write_some(&store, 60).await;
    store.compact(Revision::new(30)).await.expect("compacts");
    let told = slow.next().await.expect("says something");
    assert!(
        matches!(told, Err(ReadError::Compacted { oldest }) if oldest == Revision::new(30)),
        "{told:?}"
    );
    assert!(slow.next().await.is_none());
    store.close().await;
}
