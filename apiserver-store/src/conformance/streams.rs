//! Checks of change streams and snapshots while others write.

use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::{Fixture, Model, history, open, put, read_through};
use crate::{Expect, Key, ReadError, Revision, Store};

/// Lets `writers` write `turns` objects each; the handles end when they are done.
fn write_concurrently(
    store: &Store,
    writers: usize,
    turns: usize,
) -> Vec<tokio::task::JoinHandle<()>> {
    (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for turn in 0..turns {
                    let key = Key::new("/configmaps", "default", format!("w{writer}-{turn}"));
                    let write = put(&key, Expect::Absent, format!("{turn}"));
                    store.commit(write).await.expect("creates");
                    if turn % 5 == writer % 5 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect()
}

/// Streams that begin anywhere, at any time, at any pace, all tell the same history.
pub async fn streams_go_from_the_log_to_live_without_a_seam<F: Fixture>() {
    const WRITERS: usize = 6;
    const TURNS: usize = 40;
    const STEP: u64 = 12;
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let end = Revision::new((WRITERS * TURNS) as u64);
    let writers = write_concurrently(&store, WRITERS, TURNS);
    let mut readers = Vec::new();
    let mut begun = None;
    while store.committed() < end {
        let committed = store.committed().get();
        // Some along the way, however long it takes: readers that come by the clock hold up the writers on a slow machine,
        // so that ever more of them come, until they have no connection left to read with.
        if begun.is_some_and(|begun| committed < begun + STEP) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        begun = Some(committed);
        for back in [0, 1, 5, 50, committed] {
            let after = Revision::new(committed.saturating_sub(back));
            let store = store.clone();
            readers.push(tokio::spawn(async move {
                let mut stream = store.changes(after).await.expect("nothing is compacted");
                let mut changes = Vec::new();
                let mut cursor = after;
                while cursor < end {
                    // Step by step, so that slow readers find themselves outside of what is in memory.
                    let next = Revision::new((cursor.get() + back + 1).min(end.get()));
                    let batch = stream.next().await.expect("goes on").expect("readable");
                    assert_eq!(batch[0].revision, cursor.next());
                    cursor = batch[batch.len() - 1].revision;
                    assert!(cursor <= store.committed());
                    changes.extend_from_slice(&batch);
                    if next > cursor {
                        tokio::time::sleep(Duration::from_micros(back * 20)).await;
                    }
                }
                (after, changes)
            }));
        }
    }
    for writer in writers {
        writer.await.expect("the writer is done");
    }
    let all = history(&store).await;
    assert!(readers.len() >= 5);
    for reader in readers {
        let (after, changes) = reader.await.expect("the reader is done");
        let skip = usize::try_from(after.get()).expect("small");
        assert!(
            changes == all[skip..],
            "a stream after {after} tells another history"
        );
    }
    store.close().await;
}

/// A stream at the end neither ends nor yields; it wakes for the next change, and ends with the store.
pub async fn a_stream_waits_for_what_comes<F: Fixture>() {
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let future = store.changes(Revision::new(1)).await;
    assert!(matches!(
        future,
        Err(ReadError::Future {
            latest: Revision::ZERO
        })
    ));
    let mut stream = store.changes(Revision::ZERO).await.expect("opens");
    for turn in 1..=3 {
        assert!(
            stream.next().now_or_never().is_none(),
            "nothing has happened yet"
        );
        let key = Key::new("/configmaps", "default", format!("{turn}"));
        let writer = store.clone();
        let write = tokio::spawn(async move {
            writer
                .commit(put(&key, Expect::Absent, "{}"))
                .await
                .expect("creates")
        });
        let told = read_through(&mut stream, Revision::new(turn - 1), Revision::new(turn)).await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            write.await.expect("the writer is done"),
            Revision::new(turn)
        );
    }
    store.close().await;
    assert!(
        stream.next().await.is_none(),
        "a stream ends with its store"
    );
}

/// A snapshot taken amid writes holds exactly what its revision says, and changes after it tell the rest.
pub async fn a_snapshot_is_one_moment<F: Fixture>() {
    const WRITERS: usize = 4;
    const TURNS: usize = 40;
    let fixture = F::new().await;
    let store = open(&fixture).await;
    let end = Revision::new((WRITERS * TURNS) as u64);
    let writers = write_concurrently(&store, WRITERS, TURNS);
    let mut snapshots = Vec::new();
    while store.committed() < end {
        let snapshot = store.load().await.expect("loads");
        let revision = snapshot.revision;
        tokio::time::sleep(Duration::from_millis(1)).await;
        snapshots.push((revision, snapshot.collect().await.expect("loads")));
    }
    for writer in writers {
        writer.await.expect("the writer is done");
    }
    let model = Model::of(&history(&store).await);
    for (revision, records) in snapshots {
        let expected: Vec<_> = model.state(revision).values().cloned().collect();
        assert!(
            records == expected,
            "the snapshot of {revision} is not what was there"
        );
    }
    super::model::compare_load(&store, &model).await;
    store.close().await;
}
