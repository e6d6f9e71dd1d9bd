//! Lost connections, at every point of a commit; servers that are killed and come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;

use super::{
    DatabaseServer, Engine, on_both,
    proxy::{Mode, Proxy},
    store,
};
use crate::{Change, CommitError, Revision, Store, conformance::Model, tests::create};

async fn history(store: &Store) -> Vec<Change> {
    let end = store.latest().await.unwrap();
    let mut stream = store.changes(Revision::ZERO).await.unwrap();
    let mut changes: Vec<Change> = Vec::new();
    while changes.last().map_or(Revision::ZERO, |last| last.revision) < end {
        changes.extend_from_slice(&stream.next().await.unwrap().unwrap());
    }
    changes
}

/// Writes through a proxy that cuts the connection after the n-th message, for each n that a commit can get to, in
/// either direction. Whatever the store answers must be true.
async fn a_cut_at_any_point_leaves_no_doubt(engine: Engine) {
    let Some(server) = DatabaseServer::shared(engine) else {
        return;
    };
    let direct = server.create_database();
    let database = direct.split(['/', '?']).nth(3).unwrap().to_owned();
    let proxy = Proxy::start(server.port()).await;
    let store = store(&server.url(&database, proxy.port())).await;
    store.commit(create("first", "{}")).await.unwrap();
    let mut outcomes = Vec::new();
    for turn in 0..60 {
        let name = format!("{turn}");
        if turn % 2 == 0 {
            proxy.cut_after_answers(turn / 2);
        } else {
            proxy.cut_after_requests(turn / 2);
        }
        outcomes.push((
            name.clone(),
            store.commit(create(&name, name.clone())).await,
        ));
    }
    proxy.cut_after_answers(i64::MAX);
    proxy.cut_after_requests(i64::MAX);
    let changes = history(&store).await;
    Model::of(&changes);
    for (name, outcome) in &outcomes {
        let written = changes.iter().find(|change| *change.key.name == **name);
        match outcome {
            Ok(revision) => assert_eq!(written.map(|change| change.revision), Some(*revision)),
            Err(CommitError::Unavailable(_)) => assert!(written.is_none(), "{name} was written"),
            // A write that was tried again after all must not find itself there.
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    let done = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .count();
    assert!(done > 50, "only {done} of 60 got through");
    store.close().await;
}

/// The database is away for longer than the store's patience: writes are refused, readers of memory go on, and all
/// is well again without anybody's doing.
async fn an_outage_is_told_and_passes(engine: Engine) {
    let Some(server) = DatabaseServer::shared(engine) else {
        return;
    };
    let direct = server.create_database();
    let database = direct.split(['/', '?']).nth(3).unwrap().to_owned();
    let proxy = Proxy::start(server.port()).await;
    let store = store(&server.url(&database, proxy.port())).await;
    store.commit(create("before", "{}")).await.unwrap();
    assert!(store.trouble().is_none());
    proxy.set(Mode::Cut);
    while store.trouble().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let refused = store.commit(create("during", "{}")).await;
    assert!(
        matches!(refused, Err(CommitError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(store.latest().await.is_err());
    proxy.set(Mode::Pass);
    while store.trouble().is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = store.commit(create("during", "{}")).await.unwrap();
    assert_eq!(after, Revision::new(2));
    store.close().await;
}

/// `kill -9` of the server under two stores that write, and its return, again and again: nothing that was
/// acknowledged is missing, nothing that was refused is there.
async fn a_killed_server_loses_nothing_acknowledged(engine: Engine) {
    const KILLS: usize = 3;
    let Some(server) = DatabaseServer::start(engine, false) else {
        return;
    };
    let server = Arc::new(server);
    let url = server.create_database();
    let stores = [store(&url).await, store(&url).await];
    let stop = Arc::new(AtomicBool::new(false));
    let writing: Vec<_> = (0..6)
        .map(|writer| {
            let (store, stop) = (stores[writer % 2].clone(), stop.clone());
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for turn in 0.. {
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    let name = format!("{writer}-{turn}");
                    let outcome = store.commit(create(&name, name.clone())).await;
                    if outcome.is_err() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    outcomes.push((name, outcome));
                }
                outcomes
            })
        })
        .collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let server = server.clone();
        tokio::task::spawn_blocking(move || {
            server.kill();
            server.restart();
        })
        .await
        .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Release);
    let mut outcomes = Vec::new();
    for done in writing {
        outcomes.extend(done.await.unwrap());
    }
    while stores.iter().any(|store| store.trouble().is_some()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let [first, second] = [history(&stores[0]).await, history(&stores[1]).await];
    assert!(first == second, "two watchers saw different histories");
    Model::of(&first);
    let mut written: std::collections::HashMap<&str, Revision> = Default::default();
    for change in &first {
        let twice = written.insert(&change.key.name, change.revision);
        assert_eq!(twice, None, "{}", change.key);
    }
    let mut acknowledged = 0;
    for (name, outcome) in &outcomes {
        match outcome {
            Ok(revision) => {
                acknowledged += 1;
                assert_eq!(written.get(name.as_str()), Some(revision), "{name} is lost");
            }
            Err(CommitError::Unavailable(_)) => assert_eq!(written.get(name.as_str()), None),
            Err(CommitError::UnknownOutcome(_)) => {}
            Err(other) => panic!("{name}: {other:?}"),
        }
    }
    assert!(acknowledged > 100, "{acknowledged}");
    for store in stores {
        store.close().await;
    }
}

on_both!(
    a_cut_at_any_point_leaves_no_doubt,
    an_outage_is_told_and_passes,
    a_killed_server_loses_nothing_acknowledged
);
