//! Several stores on one database.

use std::time::Duration;

use futures::{StreamExt, future::join_all};

use super::{DatabaseServer, Engine, on_both, store};
use crate::{
    Action, Change, CommitError, Expect, Key, Mutation, Revision, Store, conformance::Model,
    tests::create,
};

async fn told_through(store: &Store, end: Revision) -> Vec<Change> {
    let mut stream = store.changes(Revision::ZERO).await.unwrap();
    let mut changes: Vec<Change> = Vec::new();
    while changes.last().is_none_or(|last| last.revision < end) {
        let batch = stream.next().await.unwrap().unwrap();
        for change in batch.iter() {
            let before = changes.last().map_or(Revision::ZERO, |last| last.revision);
            assert_eq!(change.revision, before.next());
            changes.push(change.clone());
        }
    }
    changes
}

/// Creates objects, and counts up one that all share, each time until it works.
async fn write(store: &Store, writer: usize, turns: usize) {
    let shared = Key::new("/configmaps", "default", "shared");
    for turn in 0..turns {
        store
            .commit(create(&format!("{writer}-{turn}"), "{}"))
            .await
            .unwrap();
        let mut expect = Expect::Absent;
        let mut count = 0_u64;
        loop {
            let add = Mutation {
                key: shared.clone(),
                expect,
                action: Action::Put((count + 1).to_string().into()),
            };
            match store.commit(add).await {
                Ok(_) => break,
                Err(CommitError::Conflict { current }) => {
                    let current = current.unwrap();
                    expect = Expect::Revision(current.revision);
                    count = std::str::from_utf8(&current.value)
                        .unwrap()
                        .parse()
                        .unwrap();
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

async fn two_stores_make_one_history(engine: Engine) {
    const WRITERS: usize = 4;
    const TURNS: usize = 40;
    let Some(server) = DatabaseServer::shared(engine) else {
        return;
    };
    let url = server.create_database();
    let stores = [store(&url).await, store(&url).await];
    let end = Revision::new(2 * (2 * WRITERS * TURNS) as u64);
    let watching = stores.each_ref().map(|store| {
        let store = store.clone();
        tokio::spawn(async move { told_through(&store, end).await })
    });
    let writing = (0..2 * WRITERS).map(|writer| {
        let store = stores[writer % 2].clone();
        tokio::spawn(async move { write(&store, writer, TURNS).await })
    });
    for done in join_all(writing).await {
        done.unwrap();
    }
    let [first, second] = watching;
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert!(first == second, "two watchers saw different histories");
    let model = Model::of(&first);
    let shared = model
        .state(end)
        .get(&Key::new("/configmaps", "default", "shared"));
    let total = (2 * WRITERS * TURNS).to_string();
    assert_eq!(
        shared.unwrap().value,
        total.as_bytes(),
        "an increment was lost"
    );
    for store in stores {
        assert_eq!(store.committed(), end);
        store.close().await;
    }
}

async fn what_one_acknowledges_the_other_reads(engine: Engine) {
    let Some(server) = DatabaseServer::shared(engine) else {
        return;
    };
    let url = server.create_database();
    let (here, there) = (store(&url).await, store(&url).await);
    for turn in 0..20 {
        let written = here.commit(create(&format!("{turn}"), "{}")).await.unwrap();
        let latest = there.latest().await.unwrap();
        assert!(latest >= written);
        let mut stream = there.changes(Revision::new(written.get() - 1)).await;
        let limit = Duration::from_secs(5);
        while stream.is_err() {
            assert!(there.committed() < written);
            tokio::time::sleep(Duration::from_millis(1)).await;
            stream = there.changes(Revision::new(written.get() - 1)).await;
        }
        let batch = tokio::time::timeout(limit, stream.unwrap().next())
            .await
            .unwrap();
        assert_eq!(batch.unwrap().unwrap()[0].revision, written);
        // Both may write, and a conflict names what the other wrote.
        let Err(CommitError::Conflict { current }) =
            there.commit(create(&format!("{turn}"), "{}")).await
        else {
            panic!("created twice")
        };
        assert_eq!(current.unwrap().revision, written);
    }
    here.compact(Revision::new(10)).await.unwrap();
    while there.compacted() != Revision::new(10) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    here.close().await;
    there.close().await;
}

async fn both_may_compact(engine: Engine) {
    let Some(server) = DatabaseServer::shared(engine) else {
        return;
    };
    let url = server.create_database();
    let (here, there) = (store(&url).await, store(&url).await);
    let names: Vec<String> = (0..1000).map(|turn| turn.to_string()).collect();
    for answer in join_all(names.iter().map(|name| here.commit(create(name, "{}")))).await {
        answer.unwrap();
    }
    let end = there.latest().await.unwrap();
    while there.committed() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (one, other) = tokio::join!(here.compact(end), there.compact(end));
    assert_eq!(one.unwrap().removed + other.unwrap().removed, 1000);
    here.close().await;
    there.close().await;
}

/// As after a failover to a replica that had not got everything.
async fn lost_revisions_are_noticed_and_left_behind(engine: Engine) {
    let Some(server) = DatabaseServer::shared(engine) else {
        return;
    };
    let url = server.create_database();
    let (here, there) = (store(&url).await, store(&url).await);
    for turn in 0..10 {
        here.commit(create(&format!("{turn}"), "{}")).await.unwrap();
    }
    let database = url.split(['/', '?']).nth(3).unwrap();
    let lose = "BEGIN; UPDATE store_rev SET rv = 7; DELETE FROM store_log WHERE rv > 7;
        DELETE FROM store_obj WHERE rv > 7; COMMIT";
    server.sql_in(database, lose);
    let jumped = Revision::new(1 << 32);
    for store in [&here, &there] {
        while store.committed() < jumped {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(store.epoch(), 2);
        assert!(
            store.changes(Revision::new(9)).await.is_err(),
            "a lost revision can be followed"
        );
    }
    let next = here.commit(create("9", "{}")).await.unwrap();
    assert_eq!(next, here.compacted().next());
    assert_eq!(there.latest().await.unwrap(), next);
    // Nothing stays in the log on the far side of the jump.
    let report = here.compact(next).await.unwrap();
    assert_eq!((report.compacted, report.removed), (next, 8));
    here.close().await;
    there.close().await;
}

on_both!(
    two_stores_make_one_history,
    what_one_acknowledges_the_other_reads,
    both_may_compact,
    lost_revisions_are_noticed_and_left_behind
);
