//! Checks of single writes, batches and concurrent writers.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::future::join_all;

use super::{Fixture, Model, conflict, delete, history, open, options, put};
use crate::{Change, ChangeKind, CommitError, Expect, Key, Revision, Store, StoreOptions};

fn key(name: &str) -> Key {
    Key::new("/configmaps", "default", name)
}

/// Revisions count successful changes and nothing else.
pub async fn revisions_are_gapless_and_failures_burn_none<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    assert_eq!(store.committed(), Revision::ZERO);
    for turn in 1..=20 {
        let key = key(&format!("k{turn}"));
        let revision = store
            .commit(put(&key, Expect::Absent, "{}"))
            .await
            .expect("creates");
        assert_eq!(revision, Revision::new(turn));
        conflict(store.commit(put(&key, Expect::Absent, "{}")).await);
        assert_eq!(store.committed(), revision);
        assert_eq!(store.latest().await.expect("reads"), revision);
    }
    assert_eq!(history(&store).await.len(), 20);
    store.close().await;
}

/// Every combination of what is expected and what is there.
pub async fn a_mutation_happens_only_if_its_expectation_is_met<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let a = key("a");
    let nowhere = Expect::Revision(Revision::new(7));
    assert_eq!(conflict(store.commit(put(&a, nowhere, "0")).await), None);
    assert_eq!(
        conflict(store.commit(delete(&a, Revision::new(7), "0")).await),
        None
    );
    let first = store
        .commit(put(&a, Expect::Absent, "1"))
        .await
        .expect("creates");
    let second = store
        .commit(put(&a, Expect::Revision(first), "2"))
        .await
        .expect("updates");
    for stale in [
        put(&a, Expect::Absent, "x"),
        put(&a, Expect::Revision(first), "x"),
        delete(&a, first, "x"),
    ] {
        let there = conflict(store.commit(stale).await).expect("it is there");
        assert_eq!((there.revision, there.create_revision), (second, first));
        assert_eq!((there.value, there.key), (Bytes::from("2"), a.clone()));
    }
    let third = store
        .commit(delete(&a, second, "3"))
        .await
        .expect("deletes");
    assert_eq!(conflict(store.commit(delete(&a, second, "x")).await), None);
    let fourth = store
        .commit(put(&a, Expect::Absent, "4"))
        .await
        .expect("creates again");
    let told: Vec<_> = history(&store)
        .await
        .into_iter()
        .map(|change| {
            (
                change.revision,
                change.kind,
                change.create_revision,
                change.value,
            )
        })
        .collect();
    let expected = [
        (first, ChangeKind::Created, first, "1".into()),
        (second, ChangeKind::Updated, first, "2".into()),
        (third, ChangeKind::Deleted, first, "3".into()),
        (fourth, ChangeKind::Created, fourth, "4".into()),
    ];
    assert_eq!(told, expected);
    store.close().await;
}

/// A key without a resource or a name names nothing; one that not every backend can hold is refused by all.
pub async fn incomplete_keys_are_refused<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    for key in [
        Key::new("", "default", "a"),
        Key::new("/configmaps", "default", ""),
        Key::new("/configmaps", "default", "a\0b"),
        Key::new("/configmaps", "default", "n".repeat(513)),
    ] {
        let refused = store.commit(put(&key, Expect::Absent, "{}")).await;
        assert!(
            matches!(&refused, Err(CommitError::InvalidKey(of)) if *of == key),
            "{refused:?}"
        );
    }
    assert_eq!(store.committed(), Revision::ZERO);
    store.close().await;
}

/// Values are bytes, of any content and size.
pub async fn values_come_back_byte_for_byte<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let large: Bytes = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let values = [
        Bytes::new(),
        Bytes::from("{}"),
        Bytes::from(&b"\0\xff\xfe'\";--"[..]),
        large,
    ];
    let a = key("naïve-名前-🚀");
    let mut expect = Expect::Absent;
    for value in &values {
        let revision = store
            .commit(put(&a, expect, value.clone()))
            .await
            .expect("writes");
        expect = Expect::Revision(revision);
        let page = store
            .list_at("/configmaps", None, None, usize::MAX, revision)
            .await
            .expect("lists");
        let found: Vec<_> = page.records.iter().map(|r| (&r.key, &r.value)).collect();
        assert_eq!(found, [(&a, value)]);
    }
    let told: Vec<_> = history(&store)
        .await
        .into_iter()
        .map(|change| change.value)
        .collect();
    assert_eq!(told, values);
    store.close().await;
}

/// Group commit is invisible: as if each had come alone, in the order of the queue.
pub async fn mutations_queued_together_are_judged_one_after_the_other<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let (a, b) = (key("a"), key("b"));
    let at = |revision| Expect::Revision(Revision::new(revision));
    let mutations = [
        put(&a, Expect::Absent, "1"),      // 1
        put(&a, Expect::Absent, "no"),     // what 1 left is there
        put(&b, at(1), "no"),              // nothing there
        put(&b, Expect::Absent, "2"),      // 2
        put(&a, at(1), "3"),               // 3
        put(&a, at(1), "no"),              // what 3 left is there
        delete(&a, Revision::new(3), "4"), // 4
        put(&a, at(3), "no"),              // gone
        put(&a, Expect::Absent, "5"),      // 5
    ];
    // All enter the queue before the writer can run: one batch, on this one thread.
    let answers = join_all(mutations.map(|mutation| store.commit(mutation))).await;
    let seen: Vec<_> = answers
        .into_iter()
        .map(|answer| match answer {
            Ok(revision) => Ok(revision.get()),
            conflicting => Err(conflict(conflicting).map(|record| record.revision.get())),
        })
        .collect();
    let expected = [
        Ok(1),
        Err(Some(1)),
        Err(None),
        Ok(2),
        Ok(3),
        Err(Some(3)),
        Ok(4),
        Err(None),
        Ok(5),
    ];
    assert_eq!(seen, expected);
    Model::of(&history(&store).await);
    store.close().await;
}

/// Batches are bounded by weight, and a mutation heavier than the bound still goes through.
pub async fn heavy_mutations_do_not_share_a_batch<F: Fixture>() {
    let fixture = F::new().await;
    let options = StoreOptions {
        max_batch_bytes: 1000,
        ..options::<F>()
    };
    let store = Store::open(fixture.open().await, options)
        .await
        .expect("opens");
    let heavy = Bytes::from(vec![b'x'; 1500]);
    let answers = join_all(
        (0..10).map(|i| store.commit(put(&key(&format!("k{i}")), Expect::Absent, heavy.clone()))),
    )
    .await;
    for (turn, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.expect("creates").get(), turn as u64 + 1);
    }
    store.close().await;
}

/// Counts one shared number up, as concurrent clients do: read, add one, swap or try again.
async fn increment(store: &Store, key: &Key) -> Revision {
    let mut mutation = put(key, Expect::Absent, "1");
    loop {
        match store.commit(mutation).await {
            Ok(revision) => return revision,
            Err(CommitError::Conflict {
                current: Some(there),
            }) => {
                let text = std::str::from_utf8(&there.value).expect("we wrote it");
                let count: u64 = text.parse().expect("we wrote it");
                let expect = Expect::Revision(there.revision);
                mutation = put(key, expect, (count + 1).to_string());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Many writers on few objects: no update is lost, and the history tells each success once.
pub async fn concurrent_writers_make_one_history<F: Fixture>() {
    const WRITERS: u64 = 8;
    const TURNS: u64 = 25;
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let keys: Arc<[Key]> = (0..3).map(|i| key(&format!("n{i}"))).collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, keys) = (store.clone(), keys.clone());
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for turn in 0..TURNS {
                    let index = usize::try_from((writer + turn) % 3).expect("small");
                    let revision = increment(&store, &keys[index]).await;
                    assert!(store.committed() >= revision);
                    acknowledged.push((revision, keys[index].clone()));
                }
                acknowledged
            })
        })
        .collect();
    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("the writer is done"));
    }
    let changes = history(&store).await;
    let told: BTreeMap<_, _> = changes
        .iter()
        .map(|change| (change.revision, change.key.clone()))
        .collect();
    assert_eq!(told, acknowledged);
    assert_eq!(changes.len() as u64, WRITERS * TURNS);
    let model = Model::of(&changes);
    let sum: u64 = model
        .state(model.revision())
        .values()
        .map(|record| {
            std::str::from_utf8(&record.value)
                .expect("text")
                .parse::<u64>()
        })
        .sum::<Result<_, _>>()
        .expect("numbers");
    assert_eq!(sum, WRITERS * TURNS);
    store.close().await;
}

/// Callers that go away leave nothing half-done, and stop nobody else.
pub async fn dropped_commits_happen_wholly_or_not_at_all<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    for turn in 0..40 {
        let commits: Vec<_> = (0..4)
            .map(|i| {
                let store = store.clone();
                let key = key(&format!("k{turn}-{i}"));
                tokio::spawn(async move { store.commit(put(&key, Expect::Absent, "{}")).await })
            })
            .collect();
        for _ in 0..turn % 7 {
            tokio::task::yield_now().await;
        }
        for commit in &commits {
            commit.abort();
        }
        let kept = key(&format!("kept{turn}"));
        store
            .commit(put(&kept, Expect::Absent, "{}"))
            .await
            .expect("creates");
    }
    let changes: Vec<Change> = history(&store).await;
    let model = Model::of(&changes);
    super::model::compare_load(&store, &model).await;
    let kept = |change: &&Change| change.key.name.starts_with("kept");
    assert_eq!(changes.iter().filter(kept).count(), 40);
    store.close().await;
}
