//! How many commits per second a store takes from 1, 8 and 64 concurrent writers, and how long one waits.
//!
//! `cargo run --release -p apiserver-store --example commit_rate [directory]`; without a directory a
//! temporary one is used, which may be on a disk in memory: then no flush is measured.

#![expect(
    clippy::disallowed_methods,
    reason = "measures how long the real world takes"
)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use apiserver_store::{
    Action, Expect, Key, Mutation, Retention, SqliteBackend, SqliteOptions, Store, StoreOptions,
};
use bytes::Bytes;

const TIME: Duration = Duration::from_secs(3);
const VALUE_BYTES: usize = 2048;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::TempDir::new()?;
    let given = std::env::args_os().nth(1);
    let directory = given.as_deref().map_or(temporary.path(), Path::new);
    let backend = SqliteBackend::open(SqliteOptions::new(directory)).await?;
    let retention = Some(Retention {
        age: Duration::from_secs(2),
        ..Retention::default()
    });
    let store = Store::open(
        backend,
        StoreOptions {
            retention,
            ..StoreOptions::default()
        },
    )
    .await?;
    println!(
        "{VALUE_BYTES}-byte values, {} s each, in {}",
        TIME.as_secs(),
        directory.display()
    );
    println!(
        "{:>8} {:>7} {:>11} {:>9} {:>9} {:>9}",
        "writers", "", "commits/s", "p50", "p99", "max"
    );
    for writers in [1, 8, 64] {
        for update in [false, true] {
            let mut latencies = measure(&store, writers, update).await?;
            latencies.sort();
            let rate = latencies.len() as f64 / TIME.as_secs_f64();
            let at = |part: usize| {
                latencies
                    .get(latencies.len() * part / 1000)
                    .copied()
                    .unwrap_or_default()
            };
            let kind = if update { "update" } else { "create" };
            let longest = latencies.last().copied().unwrap_or_default();
            println!(
                "{writers:>8} {kind:>7} {rate:>11.0} {:>9.2?} {:>9.2?} {longest:>9.2?}",
                at(500),
                at(990)
            );
        }
    }
    println!(
        "compacted through {} of {}",
        store.compacted(),
        store.committed()
    );
    store.close().await;
    Ok(())
}

/// Lets writers commit one after the other each, and returns every commit's latency.
async fn measure(
    store: &Store,
    writers: usize,
    update: bool,
) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let end = Instant::now() + TIME;
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            tokio::spawn(write(
                store.clone(),
                format!("{update}-{writers}-{writer}"),
                update,
                end,
            ))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(latencies)
}

async fn write(
    store: Store,
    prefix: String,
    update: bool,
    end: Instant,
) -> Result<Vec<Duration>, apiserver_store::CommitError> {
    let value = Bytes::from(vec![b'x'; VALUE_BYTES]);
    let mut latencies = Vec::new();
    let mut expect = Expect::Absent;
    while Instant::now() < end {
        let name = if update {
            prefix.clone()
        } else {
            format!("{prefix}-{}", latencies.len())
        };
        let key = Key::new("/configmaps", "default", name);
        let start = Instant::now();
        let action = Action::Put(value.clone());
        let revision = store
            .commit(Mutation {
                key,
                expect,
                action,
            })
            .await?;
        latencies.push(start.elapsed());
        if update {
            expect = Expect::Revision(revision);
        }
    }
    Ok(latencies)
}
