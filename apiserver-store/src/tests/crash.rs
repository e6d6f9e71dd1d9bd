//! `kill -9` in the middle of writing, again and again on the same directory.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use futures::StreamExt;
use tempfile::TempDir;

use super::{create, open_sqlite, sqlite};
use crate::{Revision, Store, StoreOptions, conformance::Model};

const DIRECTORY: &str = "APISERVER_STORE_CRASH_DIRECTORY";
const ROUNDS: usize = 4;

/// Not a test: the program that is killed. Prints every acknowledged write.
#[test]
#[ignore = "run by the crash test as its child"]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    super::block_on(async {
        let backend = crate::SqliteBackend::open(crate::SqliteOptions::new(directory))
            .await
            .unwrap();
        let options = StoreOptions {
            retention: None,
            ..StoreOptions::default()
        };
        let store = Store::open(backend, options).await.unwrap();
        let start = store.committed();
        let writers = (0..8).map(|writer| {
            let store = store.clone();
            async move {
                for turn in 0.. {
                    let name = format!("{start}-{writer}-{turn}");
                    let revision = store.commit(create(&name, name.clone())).await.unwrap();
                    println!("ack {revision} {name}");
                }
            }
        });
        futures::future::join_all(writers).await;
    });
}

/// Runs the child until it has acknowledged `count` writes, kills it, and returns all it acknowledged.
fn run_and_kill(directory: &TempDir, count: usize) -> BTreeMap<u64, String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::crash::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = BTreeMap::new();
    while let Some(Ok(line)) = lines.next() {
        // The line that was being written at the kill may be cut off.
        let mut words = line
            .split_whitespace()
            .skip_while(|word| *word != "ack")
            .skip(1);
        if let (Some(revision), Some(name)) = (words.next(), words.next()) {
            acknowledged.insert(revision.parse().unwrap(), name.to_owned());
        }
        if acknowledged.len() == count {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success());
    acknowledged
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let directory = TempDir::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 1..=ROUNDS {
        // Blocks this test's own thread, on which nothing else runs.
        let more = run_and_kill(&directory, 60 * round);
        assert!(more.len() >= 60 * round);
        for (revision, name) in more {
            let twice = acknowledged.insert(revision, name);
            assert_eq!(twice, None, "revision {revision} was acknowledged twice");
        }
        let store = open_sqlite(&directory).await;
        check(&store, &acknowledged).await;
        store.close().await;
    }
    drop(sqlite(&directory).await);
}

async fn check(store: &Store, acknowledged: &BTreeMap<u64, String>) {
    let mut changes = Vec::new();
    let mut stream = store.changes(Revision::ZERO).await.unwrap();
    while changes.len() as u64 != store.committed().get() {
        changes.extend_from_slice(&stream.next().await.unwrap().unwrap());
    }
    let model = Model::of(&changes);
    assert_eq!(model.revision(), store.committed());
    for (revision, name) in acknowledged {
        let index = usize::try_from(*revision).unwrap() - 1;
        let found = changes.get(index).map(|change| &*change.key.name);
        // A torn last line may name less than the whole.
        assert!(
            found.is_some_and(|found| found.starts_with(name.as_str())),
            "{revision} {name}"
        );
    }
    let records = store.load().await.unwrap().collect().await.unwrap();
    let expected: Vec<_> = model.state(model.revision()).values().cloned().collect();
    assert!(records == expected, "objects and log disagree");
}
