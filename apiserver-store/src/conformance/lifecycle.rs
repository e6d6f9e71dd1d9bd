//! Checks of closing and opening again.

use super::{Fixture, Model, history, open, put, write_some};
use crate::{CommitError, Expect, Key, Problem, ReadError, Revision};

/// All that was acknowledged is there again, the past too, and the count goes on.
pub async fn a_reopened_store_goes_on_where_it_was<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    write_some(&store, 30).await;
    let all = history(&store).await;
    let model = Model::of(&all);
    store.close().await;

    let store = open(&fixture).await;
    assert_eq!(store.committed(), Revision::new(30));
    assert!(history(&store).await == all);
    super::model::compare_load(&store, &model).await;
    super::model::compare_lists(&store, &model).await;
    store.compact(Revision::new(12)).await.expect("compacts");
    let epoch = store.epoch();
    store.close().await;

    let store = open(&fixture).await;
    assert_eq!((store.committed().get(), store.compacted().get()), (30, 12));
    assert_eq!(store.epoch(), epoch);
    let old = store.changes(Revision::new(11)).await;
    assert!(matches!(old, Err(ReadError::Compacted { oldest }) if oldest.get() == 12));
    super::model::compare_lists(&store, &model).await;
    let key = Key::new("/configmaps", "default", "new");
    let next = store
        .commit(put(&key, Expect::Absent, "{}"))
        .await
        .expect("creates");
    assert_eq!(next, Revision::new(31));
    store.close().await;
}

/// Closing lets in nothing new, and drops nothing that is in.
pub async fn closing_carries_out_what_is_queued<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let commits: Vec<_> = (0..300)
        .map(|i| {
            let store = store.clone();
            let key = Key::new("/configmaps", "default", format!("k{i}"));
            tokio::spawn(async move { store.commit(put(&key, Expect::Absent, "{}")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let late = store.clone();
    store.close().await;
    let mut acknowledged = 0;
    for commit in commits {
        match commit.await.expect("the caller is done") {
            Ok(_) => acknowledged += 1,
            Err(CommitError::Unavailable(error)) => assert_eq!(error.problem(), Problem::Closed),
            Err(other) => panic!("{other:?}"),
        }
    }
    let key = Key::new("/configmaps", "default", "late");
    let refused = late.commit(put(&key, Expect::Absent, "{}")).await;
    assert!(
        matches!(refused, Err(CommitError::Unavailable(_))),
        "{refused:?}"
    );
    late.close().await;

    let store = open(&fixture).await;
    assert!(acknowledged > 0);
    assert_eq!(store.committed(), Revision::new(acknowledged));
    store.close().await;
}
